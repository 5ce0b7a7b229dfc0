"""What `auditor zones setup` prints: a shell script for one zone, to be read first."""

from __future__ import annotations

import json
from ipaddress import ip_address

from auditor.zones import topology

_SCRIPT = r"""#!/bin/sh
# The zone {zone}: what `auditor zones setup {zone}` printed. Each part says where it belongs; made files are never made anew.
set -eu
umask 077

# 1. On the centre, in the folder of the inventory: keys and certificates. zones/ca.key signs who may speak with the broker: keep
#    it away from both, and bring it back for another zone.
certificates() {{
  mkdir -p zones
  cd zones
  [ -e ca.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=auditor zones" \
    -addext "basicConstraints=critical,CA:true" -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca.key -out ca.pem
  certificate broker "{host}" serverAuth {alternative}
  certificate centre {centre} clientAuth
  certificate {zone} {account} clientAuth
  [ -e centre-signing.key ] || openssl genpkey -algorithm ed25519 -out centre-signing.key
  openssl pkey -in centre-signing.key -pubout -out centre-signing.pub
  [ -e {zone}-signing.key ] || openssl genpkey -algorithm ed25519 -out {zone}-signing.key
  openssl pkey -in {zone}-signing.key -pubout -out {zone}-signing.pub
  chmod 644 *.pem *.pub
  cd ..
}}
# certificate FILE NAME USE [ALTERNATIVE]: good for one use, so that no client can pose as the broker.
certificate() {{
  [ -e "$1.pem" ] && return
  [ -e ca.key ] || {{ echo "zones/ca.key is not there: bring it back for as long as this takes" >&2; exit 1; }}
  printf "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n" "$3" >"$1.ext"
  [ -z "${{4-}}" ] || printf "subjectAltName=%s\n" "$4" >>"$1.ext"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -extfile "$1.ext" -out "$1.pem"
  rm -f "$1.csr" "$1.ext"
}}

# 2. For the broker: /etc/rabbitmq/rabbitmq.conf, with zones/ca.pem, broker.pem and broker.key in /etc/rabbitmq/auditor, which
#    the user rabbitmq may read. Only TLS, only certificates; distribution and epmd on loopback (rabbitmq-env.conf) unless it is a cluster.
settings() {{
  cat <<'END'
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = /etc/rabbitmq/auditor/ca.pem
ssl_options.certfile = /etc/rabbitmq/auditor/broker.pem
ssl_options.keyfile = /etc/rabbitmq/auditor/broker.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
auth_mechanisms.1 = EXTERNAL
ssl_cert_login_from = common_name
max_message_size = {most}
raft.wal_max_size_bytes = 64000000
END
}}
environment() {{
  cat <<'END'
ERL_EPMD_ADDRESS=127.0.0.1
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {{127,0,0,1}}"
END
}}

# 3. On the broker: the plugin that takes certificates for accounts, then accounts, rights, exchanges and queues. No account has
#    a password; `guest` goes, since a certificate of that name would be an administrator.
broker() {{
  rabbitmq-plugins enable rabbitmq_auth_mechanism_ssl
  definitions | rabbitmqctl import_definitions
  rabbitmqctl delete_user guest || true
}}
definitions() {{
  cat <<'END'
{definitions}
END
}}

# 4. For the inventory: the zone, and `zone: {zone}` at its hosts or their group.
inventory() {{
  cat <<'END'
broker: amqps://{host}/{vhost}
zones: {{{zone}: {{jobs: 32}}}}
END
}}

# 5. On the worker: /etc/auditor/worker.yaml, with zones/ca.pem, {zone}.pem, {zone}.key, {zone}-signing.key and centre-signing.pub
#    beside it, the keys with mode 0600 and the worker's. Then: auditor worker --zone {zone}
worker() {{
  cat <<'END'
zone: {zone}
broker: {{url: "amqps://{host}/{vhost}", ca_file: ca.pem, cert_file: {zone}.pem, key_file: {zone}.key, signing_key: {zone}-signing.key}}
centre_key: centre-signing.pub
jobs: 32
secrets: {{}}                 # sudo: file:/etc/auditor/sudo.secret; the inventory says zone:sudo
targets:
  - hosts: ["10.0.0.0/8"]    # whom it may ask: networks, and globs of names
    key_file: ~/.ssh/id_ed25519
    secrets: []
END
}}

case "${{1-}}" in
  certificates | settings | environment | broker | definitions | inventory | worker) "$1" ;;
  *) echo "usage: sh $0 certificates | settings | environment | broker | definitions | inventory | worker" >&2; exit 64 ;;
esac
"""


def script(zone: str, host: str, vhost: str) -> str:
    """The script for a zone, with the broker's host name (a DNS name or an address) and virtual host."""
    return _SCRIPT.format(
        zone=zone,
        host=f"[{host}]" if ":" in host else host,
        vhost=vhost,
        alternative=f"IP:{host}" if is_address(host) else f"DNS:{host}",
        centre=topology.CENTRE,
        account=topology.account(zone),
        most=topology.MAX_MESSAGE,
        definitions=json.dumps(topology.definitions(zone, vhost), indent=1),
    )


def is_address(host: str) -> bool:
    """Is it an IP address?"""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
