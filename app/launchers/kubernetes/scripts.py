"""The fixed shell scripts of a job's pod, the same for dash, bash and busybox."""

from app.launchers.kubernetes.ends import END

# Process 1 of the main container of the pod $0: runs the command ($1), passes a SIGTERM on to every process
# of it, says on both streams that this is all (`ends.py`), and ends with its exit code. After a signal it
# waits for those that outlive the command's shell: the container dies with process 1. A `wait` that a signal
# broke off gives no exit code: it is asked again. What the shell itself says of its child ("Killed") is kept
# out of the log.
WRAPPER = f"""\
exec 3>&2 2>/dev/null
ended=
trap 'ended=1; again=1; kill -TERM -1' TERM
/bin/sh -c "$1" 2>&3 3>&- &
child=$!
again=
wait "$child"
code=$?
while [ -n "$again" ]; do
    again=
    wait "$child"
    more=$?
    [ "$more" = 127 ] || code=$more
done
if [ -n "$ended" ]; then
    while kill -0 -1; do sleep 0.1 || sleep 1; done
fi
echo "{END}$0"
echo "{END}$0" >&3
exit "$code"
"""

# Fetches an archive of code from CODE_URL into TARGET, with a token that opens it.
FETCH = """\
set -u
archive=$TMPDIR/code.tar.gz
tries=0
until said=$(wget -q -O "$archive" --header "Authorization: EphemeralToken $TOKEN" \\
    --header "X-POLYAXON-INTERNAL: runner" "$CODE_URL" 2>&1); do
    tries=$((tries + 1))
    case $said in *"HTTP/1."*" 4"*) tries=60 ;; esac
    if [ "$tries" -ge 60 ]; then
        echo "its code could not be fetched from $CODE_URL: $said" >&2
        exit 1
    fi
    sleep 1
done
said=$(tar -xzf "$archive" -C "$TARGET" 2>&1) || {
    echo "its code could not be unpacked: $said" >&2
    exit 1
}
rm -f "$archive"
"""

# The init container: waits until the names of all peers resolve, so that no process looks for one too early
# (it asks with the whole name, since busybox's nslookup knows no search list); then it fetches the code, with
# the experiment's token.
PREPARE = (
    """\
domain=$(sed -n 's/^search *\\([^ ]*\\).*/\\1/p' /etc/resolv.conf)
for name in ${PEERS:-}; do
    until nslookup "$name.$domain." >/dev/null 2>&1; do sleep 0.2; done
done
[ -n "${CODE_URL:-}" ] || exit 0
TARGET=/code
"""
    + FETCH
)
