# Functions that the scripts of this folder share: they make file trees for images from programs that are installed on this machine.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
e2e=$(dirname "$here")
root=$(dirname "$e2e")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/aurora-locus/images

# program TREE FILE [AS]: copies a program and the shared libraries that it is linked to, each to its own path.
program() {
  local tree=$1 file=$2 as=${3:-$2} library
  install -D -m 755 "$(readlink -f "$file")" "$tree$as"
  while read -r library; do
    [ -e "$tree$library" ] || install -D -m 755 "$(readlink -f "$library")" "$tree$library"
  done < <({ ldd "$file" 2>/dev/null || true; } | grep -o '/[^ ]* (0x' | cut -d' ' -f1)
}

# accounts TREE: writes users and groups and makes a temporary folder.
accounts() {
  mkdir -p "$1"/{etc,tmp,run}
  chmod 1777 "$1/tmp"
  printf '%s\n' 'root:x:0:0:root:/:/sbin/nologin' 'postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh' 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >"$1/etc/passwd"
  printf '%s\n' 'root:x:0:' 'postgres:x:999:' 'nonroot:x:65532:' >"$1/etc/group"
}

# base_tree TREE: the base image for the Dockerfiles of pds and operator. It contains what debian:bookworm-slim with ca-certificates provides to
# a program that is linked to glibc and libgcc.
base_tree() {
  local tree=$1 library
  accounts "$tree"
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
  for library in libc.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 libnss_files.so.2 libnss_dns.so.2; do
    file=$(ldconfig -p | awk -v l="$library" '$1 == l && !found++ { print $NF }') # awk must read all input: with pipefail a broken pipe is an error
    [ -z "$file" ] || install -D -m 755 "$(readlink -f "$file")" "$tree$file"
  done
  local loader
  loader=$(ldd /bin/sh | grep -o '/lib[^ ]*ld-linux[^ ]*' | sed -n 1p)
  install -D -m 755 "$(readlink -f "$loader")" "$tree$loader"
  echo 'hosts: files dns' >"$tree/etc/nsswitch.conf"
}

buildah() { command buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"; }

# archive CONTEXT OUT NAME [BUILDAH_ARGUMENT...]: builds a Dockerfile and writes the image as a docker archive.
archive() {
  local context=$1 out=$2 image=$3; shift 3
  buildah bud --quiet --format docker --isolation chroot --tag "$image" "$@" "$context" >/dev/null
  buildah push --quiet "$image" "docker-archive:$out.part:$image" >/dev/null
  mv "$out.part" "$out"
}

# archive_of IMAGE: prints the path of its archive in the cache.
archive_of() { echo "$cache/$(basename "$1" | tr : -).tar"; }

# forget_old NAME: deletes all but the newest four archives of an image. Every build of the product adds one.
forget_old() { find "$cache" -name "$1-*.tar" -printf '%T@ %p\n' | sort -rn | tail -n +5 | cut -d' ' -f2- | xargs -r rm -f; }
