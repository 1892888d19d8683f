# Starts PostgreSQL; on the first start makes the cluster, the role and the database.
set -eu
refuse() { echo "$*" >&2; exit 78; }
image=$(postgres -V | sed 's/.* \([0-9]*\).*/\1/')
if [ -e "$PGDATA/PG_VERSION" ]; then
  read -r data <"$PGDATA/PG_VERSION"
  [ "$data" = "$image" ] || refuse "the data directory was made by PostgreSQL $data and this image has PostgreSQL $image; set the image back to $data"
fi
if [ ! -e "$PGDATA" ]; then
  # Made beside and renamed: a start that was cut off begins again.
  new=$PGDATA.new
  rm -rf "$new"
  initdb -D "$new" -U postgres -E UTF8 --locale=C --data-checksums --auth=scram-sha-256 --pwfile=/secret/password
  read -r password </secret/password || true
  case $password in *[!A-Za-z0-9]* | '') refuse "the password in the Secret may hold letters and digits only" ;; esac
  postgres --single -D "$new" postgres <<SQL
CREATE ROLE pds LOGIN PASSWORD '$password'
CREATE DATABASE pds OWNER pds
SQL
  mv "$new" "$PGDATA"
fi
# Some volume drivers add rights for the group at every mount, and PostgreSQL refuses a directory that has them.
chmod 700 "$PGDATA"
printf '%s' "$PG_HBA" >/tmp/pg_hba.conf
exec postgres -D "$PGDATA" -c hba_file=/tmp/pg_hba.conf -c unix_socket_directories=/tmp -c listen_addresses='*' \
  -c password_encryption=scram-sha-256 -c max_connections=200
