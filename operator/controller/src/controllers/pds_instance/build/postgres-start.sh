# Starts PostgreSQL; on the first start makes the cluster, the role and the database.
set -eu
if [ ! -e "$PGDATA" ]; then
  # Made beside and renamed: a start that was cut off begins again.
  new=$PGDATA.new
  rm -rf "$new"
  initdb -D "$new" -U postgres -E UTF8 --locale=C --data-checksums --auth=scram-sha-256 --pwfile=/secret/password
  read -r password </secret/password || true
  postgres --single -D "$new" postgres <<SQL
CREATE ROLE pds LOGIN PASSWORD '$password'
CREATE DATABASE pds OWNER pds
SQL
  mv "$new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c hba_file=/config/pg_hba.conf -c unix_socket_directories=/tmp -c listen_addresses='*' \
  -c password_encryption=scram-sha-256 -c max_connections=200
