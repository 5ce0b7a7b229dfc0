#!/bin/sh
# What the tests need beside Python: a real sshd, network namespaces, sudo, shells, Wine's cmd and reg, Samba's registry, Chromium, xmllint, and the published
# schemas of XCCDF (Debian's openscap-common) and SARIF, and axe-core (from packages of npm's, held by their digests). Installed through apt-get and npm where that is allowed; otherwise named.
missing=
for pair in sshd:openssh-server ip:iproute2 sudo:sudo busybox:busybox ksh:ksh mksh:mksh gzip:gzip unzip:unzip smbd:samba xmllint:libxml2-utils npm:npm chromium:chromium; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
[ -x /usr/lib/wine/wine64 ] || missing="$missing wine64"
[ -f /usr/share/openscap/schemas/xccdf/1.2/xccdf_1.2.xsd ] || missing="$missing openscap-common"
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need these Debian packages; ask an administrator to run: apt-get install$missing" >&2
    exit 1
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
    echo "apt-get could not install:$missing" >&2
    exit 1
  }
fi

# fetch PACKAGE MEMBER FILE SHA256
fetch() {
  echo "$4  $3" | sha256sum --check --status 2>/dev/null && return
  package=$(npm pack --silent "$1") && tar xzOf "$package" "package/$2" >"$3"
  rm -f "$package"
  echo "$4  $3" | sha256sum --check --status || {
    echo "$1 could not be had from npm; the tests need its $2" >&2
    exit 1
  }
}
mkdir -p .schemas && cd .schemas || exit 1
fetch @microsoft/jest-sarif@1.0.0-beta.0 lib/schemas/sarif-2.1.0-rtm.5.json sarif-2.1.0.json 2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8
fetch axe-core@4.10.3 axe.min.js axe.min.js 880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb
