#!/bin/sh
# What the tests need beside Python: a real sshd, network namespaces, sudo, shells, Wine's cmd and reg, Samba's registry, Chromium, xmllint, Ansible, libapt and librpm for Debian's Python, and the published
# schemas of XCCDF (Debian's openscap-common) and SARIF, and axe-core (from packages of npm's, held by their digests). Installed through apt-get and npm where that is allowed; otherwise named.
missing=
for pair in sshd:openssh-server ip:iproute2 sudo:sudo busybox:busybox ksh:ksh mksh:mksh gzip:gzip unzip:unzip rpm:rpm smbd:samba xmllint:libxml2-utils dnf:dnf createrepo_c:createrepo-c db5.3_load:db5.3-util debsecan:debsecan npm:npm chromium:chromium rabbitmqctl:rabbitmq-server openssl:openssl; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
[ -x /usr/lib/wine/wine64 ] || missing="$missing wine64"
/usr/bin/python3 -c "import apt_pkg, rpm" 2>/dev/null || missing="$missing python3 python3-apt python3-rpm"
[ -f /usr/share/openscap/schemas/xccdf/1.2/xccdf_1.2.xsd ] || missing="$missing openscap-common"
for pair in libidn.so.12:libidn12 libgnutls-dane.so.0:libgnutls-dane0 libnsl.so.2:libnsl2 libdb-5.3.so:libdb5.3; do
  ls /usr/lib/*/"${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"  # exim's
done
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

# Debian's exim is unpacked, not installed: installed it would take the place of the machine's own mail server.
if [ ! -x exim/usr/sbin/exim4 ]; then
  rm -rf exim && mkdir exim && (cd exim && apt-get download -qq exim4-daemon-light 2>/dev/null && dpkg-deb -x exim4-daemon-light_*.deb .) || {
    echo "Debian's exim4-daemon-light could not be had; the tests of mails need it" >&2
    exit 1
  }
fi

# Ansible lies apart: where it is on the PATH, auditor asks it, and most tests are of our own reader.
if ! ansible/bin/ansible-inventory --version 2>/dev/null | grep -q 'core 2.19.4]'; then
  rm -rf ansible && python3 -m venv ansible && ansible/bin/pip install --quiet --disable-pip-version-check ansible-core==2.19.4 || {
    echo "ansible-core could not be had from pip; the tests of Ansible's inventories need it" >&2
    exit 1
  }
fi
