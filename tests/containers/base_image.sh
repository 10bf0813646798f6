#!/usr/bin/env bash
# A stand-in for python:3.11-slim, where no registry is reachable: Debian's minimal system, this
# machine's Python in /usr/local and the authorities that this machine trusts.
# Usage: base_image.sh PYTHON_PREFIX IMAGE   (as root; DOCKER_HOST and DOCKER say which Docker)
set -euo pipefail
prefix=$1
image=$2
docker=${DOCKER:-docker}

# The same system as this one: the interpreter is linked against its libraries.
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

packages=ca-certificates,netbase,tzdata,libbz2-1.0,libffi8,liblzma5,libncursesw6,libnsl2
packages+=,libreadline8,libsqlite3-0,libssl3,libtirpc3,libuuid1,zlib1g
mmdebstrap --quiet --variant=minbase --include="$packages" \
  --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/man/* \
  --dpkgopt=path-exclude=/usr/share/locale/* "$suite" "$root"

version=$("$prefix/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib"
cp "$prefix/bin/python$version" "$root/usr/local/bin/"
ln -s "python$version" "$root/usr/local/bin/python3"
ln -s python3 "$root/usr/local/bin/python"
cp -a "$prefix"/lib/libpython* "$root/usr/local/lib/" 2>/dev/null || true
tar --create --directory "$prefix/lib" --exclude=site-packages --exclude=__pycache__ \
  --exclude='python*/test' --exclude='python*/config-*' --exclude=idlelib --exclude=tkinter \
  --exclude='_tkinter*' --exclude='*.a' "python$version" \
  | tar --extract --no-same-owner --directory "$root/usr/local/lib"
mkdir -p "$root/usr/local/lib/python$version/site-packages"

mkdir -p "$root/usr/local/share/ca-certificates"
cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
chroot "$root" update-ca-certificates >/dev/null 2>&1
chroot "$root" ldconfig
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
chroot "$root" python3 -m compileall -q "/usr/local/lib/python$version" >/dev/null 2>&1 || true
chroot "$root" python3 -c 'import bz2, ctypes, hashlib, lzma, sqlite3, ssl, zlib'
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*

tar --create --directory "$root" --exclude='./dev/*' . | "$docker" import \
  --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
  --change 'CMD ["python3"]' - "$image" >/dev/null
