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

# What the client may have put into the environment (functions of bash, too) does not come along. `case` and `exec` are
# words that no function can take the place of.
case $1 in
  clean) ;;
  *) exec /usr/bin/env -i SSH_ORIGINAL_COMMAND="$SSH_ORIGINAL_COMMAND" SSH_CONNECTION="$SSH_CONNECTION" \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C /bin/sh "$0" clean ;;
esac
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
# The script's arguments: words of plain characters, in single quotes where they hold other than the plainest. Behind
# `auditor MARKER FORM DEPTH PRIVILEGE`, all of which have to be there, come the settings.
set --
place=0
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
  place=$((place + 1))
  good=no
  case $place in
    1) [ "$word" = auditor ] && good=yes ;;
    2) case $word in *[!A-Za-z0-9-]* | "" | ? | ?? | ???) ;; *) [ ${#word} -le 64 ] && good=yes ;; esac ;;
    3) case $word in gzip | plain) good=yes ;; esac ;;
    4) case $word in usual | deep) good=yes ;; esac ;;
    5) case $word in none | sudo | sudo-password) good=yes ;; esac ;;
    *)
      case $word in "") continue ;; esac
      case $SETTINGS in *"$newline$word$newline"*) good=yes ;; *) continue ;; esac
      ;;
  esac
  [ $good = yes ] || refuse "only the collection script of auditor, with its own arguments, may be run with this key"
  set -- "$@" "$word"
done
[ $place -ge 5 ] || refuse "only the collection script of auditor, with its own arguments, may be run with this key"
exec /bin/sh -c "$text" "$@"
