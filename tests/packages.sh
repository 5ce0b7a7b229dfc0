#!/bin/sh
# What the tests need beside Python: a real sshd, network namespaces, sudo, shells, Wine's cmd and reg, Samba's registry. Installed through apt-get where that
# is allowed; otherwise named.
missing=
for pair in sshd:openssh-server ip:iproute2 sudo:sudo busybox:busybox ksh:ksh mksh:mksh gzip:gzip unzip:unzip smbd:samba; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
[ -x /usr/lib/wine/wine64 ] || missing="$missing wine64"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
  echo "apt-get could not install:$missing" >&2
  exit 1
fi
echo "The tests need these Debian packages; ask an administrator to run: apt-get install$missing" >&2
exit 1
