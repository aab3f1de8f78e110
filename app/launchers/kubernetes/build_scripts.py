"""The fixed shell scripts of a build's pod. What may push never runs beside what a user wrote."""

# The steps run in `main`, as root in a user namespace from which they can get out into the container: it has
# no login. `pull` is over before they begin; `push` sees images read-only, and has its login in a variable.

_BUILDAH = """\
set -u
storage=/var/lib/containers/storage
until_=$(($(date +%s) + ${GRACE:-0}))
last() { sed -n 's/^Error: //; $p' /tmp/said; }
again() {
    grep -qiE 'unauthorized|denied|manifest unknown|not found|invalid' /tmp/said && return 1
    [ "$(date +%s)" -lt "$until_" ] && sleep 2
}
"""

# Pulls the base image, with the logins of registries. Overlays need no more than the kernel's own; where they
# can't be, whole copies do.
PULL = (
    _BUILDAH
    + """\
pull() {
    buildah --storage-driver "$1" --root "$storage" --runroot /tmp/run \\
        pull --quiet ${AUTH:+--authfile "$AUTH"} "$BASE" >/dev/null 2>/tmp/said
}
driver=overlay
until pull "$driver"; do
    if [ "$driver" = overlay ] &&
        ! buildah --storage-driver overlay --root "$storage" --runroot /tmp/run info >/dev/null 2>&1; then
        driver=vfs
        rm -rf "$storage"
    elif ! again; then
        echo "its image $BASE can't be pulled: $(last)" >&2
        exit 1
    fi
done
echo "$driver" >/var/lib/containers/driver
"""
)

# Runs one step: number, count, its name. What it prints goes past Buildah, which would mix its own words in.
STEP = """\
exec >/run/bunsen/out 2>&1
command=$(cat "/run/bunsen/command-$1")
printf 'Step %s/%s: %s\\n' "$1" "$2" "$command"
set -a
. /run/bunsen/variables
set +a
/bin/sh -c "$command"
code=$?
[ "$code" = 0 ] ||
    printf 'step %s of %s (%s) failed with exit code %s' "$1" "$2" "$3" "$code" >/run/bunsen/failed
exit "$code"
"""

# Builds, then waits until the image is pushed. Its message is the build's.
BUILD = """\
set -u
fail() {
    printf '%s' "$2" >/dev/termination-log
    exit "$1"
}
mkdir -m 777 /tmp/bunsen && chmod 777 /tmp/bunsen
cp /bunsen/build/* /tmp/bunsen/
mkfifo -m 666 /tmp/bunsen/out && chmod 666 /tmp/bunsen/out
{ cat </tmp/bunsen/out; : >/tmp/read; } &
exec 3>/tmp/bunsen/out
buildah --storage-driver "$(cat /var/lib/containers/driver)" --root /var/lib/containers/storage \\
    --runroot /tmp/run bud --pull-never --isolation chroot --format docker \\
    --volume /tmp/bunsen:/run/bunsen --file /tmp/bunsen/Dockerfile --tag built /bunsen/context \\
    >/tmp/said 2>&1 3>&-
code=$?
exec 3>&-
tries=0
until [ -e /tmp/read ] || [ "$tries" -ge 20 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
if [ "$code" != 0 ]; then
    [ -s /tmp/bunsen/failed ] && fail "$code" "$(cat /tmp/bunsen/failed)"
    cat /tmp/said
    fail "$code" "its image could not be made: $(sed -n 's/^Error: //; $p' /tmp/said)"
fi
: >/bunsen/handover/built
until [ -e /bunsen/handover/code ]; do sleep 0.1; done
[ "$(cat /bunsen/handover/code)" = 0 ] && exit 0
cat /bunsen/handover/said
fail 1 "its image could not be pushed to $IMAGE: $(sed -n 's/^Error: //; $p' /bunsen/handover/said)"
"""

# Beside `main`, until that ends. What `pull` learned of the base's layers is kept from before any step ran:
# with it they are not sent again.
PUSH = (
    _BUILDAH
    + """\
trap 'exit 0' TERM
cp -r /bunsen/store/cache /var/lib/containers/ 2>/dev/null
cat >/tmp/storage.conf <<END
[storage]
driver = "$(cat /bunsen/store/driver)"
graphroot = "$storage"
runroot = "/tmp/run"
[storage.options]
additionalimagestores = ["/bunsen/store/storage"]
END
export CONTAINERS_STORAGE_CONF=/tmp/storage.conf
until [ -e /bunsen/handover/built ]; do
    sleep 0.1 &
    wait "$!"
done
until_=$(($(date +%s) + ${GRACE:-0}))
while :; do
    buildah push ${LOGIN:+--creds "$LOGIN"} localhost/built "docker://$IMAGE" >/tmp/said 2>&1
    code=$?
    [ "$code" = 0 ] || ! again || continue
    break
done
cp /tmp/said /bunsen/handover/said
echo "$code" >/bunsen/handover/part
mv /bunsen/handover/part /bunsen/handover/code
while :; do
    sleep 60 &
    wait "$!"
done
"""
)
