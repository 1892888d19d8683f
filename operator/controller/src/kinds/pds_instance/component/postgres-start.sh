# Starts PostgreSQL; on the first start makes the cluster, the role and the database.
set -eu
refuse() { echo "$*" >&2; exit 78; }
# `initdb` and `postgres --single` ask for the name of their user. Where the platform chooses the user id, /etc/passwd may have no entry for it.
# The library of the official images stands in for the entry.
named() {
  if id -un >/dev/null 2>&1; then "$@"; return; fi
  for library in /usr/lib/*/libnss_wrapper.so /usr/lib/libnss_wrapper.so; do
    [ -e "$library" ] || continue
    echo "postgres:x:$(id -u):$(id -g):::" >/tmp/passwd
    : >/tmp/group
    LD_PRELOAD=$library NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/tmp/group "$@"
    return
  done
  refuse "the user id $(id -u) has no entry in /etc/passwd, and this image has no libnss_wrapper.so; use an image that has it, as the official image of PostgreSQL does"
}
# 17 of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`.
image=$(postgres -V | sed 's/^[^)]*) \([0-9]*\).*/\1/')
if [ -e "$PGDATA/PG_VERSION" ]; then
  read -r data <"$PGDATA/PG_VERSION" || true
  [ "$data" = "$image" ] || refuse "the data directory was made by PostgreSQL $data and this image has PostgreSQL $image; set the image back to $data"
fi
if [ ! -e "$PGDATA" ]; then
  # Made beside and renamed: a start that was cut off begins again.
  new=$PGDATA.new
  rm -rf "$new"
  named initdb -D "$new" -U postgres -E UTF8 --locale=C --data-checksums --auth=scram-sha-256 --pwfile=/secret/password
  read -r password </secret/password || true
  case $password in *[!A-Za-z0-9]* | '') refuse "the password in the Secret may hold letters and digits only" ;; esac
  named postgres --single -D "$new" postgres <<SQL
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
