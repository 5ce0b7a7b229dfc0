#!/bin/sh
# auditor: the forced command of an audit key. It runs the collection scripts whose SHA-256 is named below, and nothing
# else. Put it at /usr/local/bin/auditor-gate (root's, mode 0755) and the key into the account's authorized_keys as
#   restrict,command="/usr/local/bin/auditor-gate" ssh-ed25519 AAAA... auditor
# Several digests, separated by blanks, let two releases in while you go from one to the next. SETTINGS are those that the
# loaded rules ask for, a line each; others are left out of the call, and so are unknown to the audit.
SCRIPTS="@DIGEST@"
SETTINGS="
@SETTINGS@
"

PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
set -f
quote="'" newline="
"
refuse() {
  printf "auditor-gate: %s\n" "$1" >&2
  exit 126
}
start="sh -c $quote"
case $SSH_ORIGINAL_COMMAND in
  "$start"*"$quote"*) ;;
  *) refuse "only the collection script of auditor may be run with this key" ;;
esac
text=${SSH_ORIGINAL_COMMAND#"$start"}
rest=${text#*"$quote"}
text=${text%%"$quote"*}
digest=$(printf %s "$text" | sha256sum) || refuse "sha256sum is not there"
digest=${digest%% *}
case " $SCRIPTS " in
  *" $digest "*) ;;
  *) refuse "this is not a script that it knows (SHA-256 $digest); install the gate of this release of auditor" ;;
esac
# The script's arguments: words of plain characters, in single quotes where they hold other than the plainest.
set --
while [ -n "$rest" ]; do
  rest=${rest# }
  case $rest in
    "$quote"*"$quote"*)
      rest=${rest#"$quote"}
      word=${rest%%"$quote"*}
      rest=${rest#*"$quote"}
      ;;
    *)
      word=${rest%% *}
      rest=${rest#"$word"}
      ;;
  esac
  case $word in *[!A-Za-z0-9._/+@:=#,\ -]*) refuse "an argument holds other characters than settings have" ;; esac
  case $rest in "" | " "*) ;; *) refuse "the arguments are not words" ;; esac
  if [ $# -ge 5 ]; then  # behind auditor MARKER FORM DEPTH PRIVILEGE
    case $SETTINGS in *"$newline$word$newline"*) ;; *) continue ;; esac
  fi
  set -- "$@" "$word"
done
[ "$1" = auditor ] || refuse "only the collection script of auditor may be run with this key"
exec sh -c "$text" "$@"
