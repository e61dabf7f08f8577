#!/bin/sh
# Installs the named Debian packages that are missing, and starts no server doing so.
#
# Debian's orthanc and nginx packages start a service and register it for the next boot, on the ports the
# project wants for itself. A policy-rc.d that lasts only as long as the installation forbids the start;
# services that came with a newly installed package are taken out of the boot sequence again.
# What was installed before is neither upgraded nor stopped.
set -eu

missing=""
for package in "$@"; do
    # npm and nodejs may have come from elsewhere than apt.
    case "$package" in nodejs | npm) command -v "${package%js}" >/dev/null 2>&1 && continue ;; esac
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "This set-up needs apt (Debian 12 or newer). Install by hand:$missing" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Not root and no sudo. As root, run: apt-get install$missing" >&2
        exit 1
    fi
    echo "Installing with sudo:$missing"
    exec sudo -- "$0" "$@"
fi

policy=/usr/sbin/policy-rc.d
saved=$policy.before-headct
restore() {
    status=$?
    if [ -e "$saved" ]; then mv -f "$saved" "$policy"; elif [ -n "${ours:-}" ]; then rm -f "$policy"; fi
    exit $status
}
trap restore EXIT
trap 'exit 130' INT TERM HUP

new_services=""
for service in orthanc nginx; do
    dpkg-query -W -f='${db:Status-Status}' "$service" 2>/dev/null | grep -qx installed || new_services="$new_services $service"
done

# A policy left over from an interrupted run is ours, not the machine's: do not save it again.
if [ -e "$policy" ] && [ ! -e "$saved" ]; then mv "$policy" "$saved"; fi
ours=yes
cat >"$policy" <<END
#!/bin/sh
for word in "\$@"; do
    case "\$word" in orthanc | nginx | orthanc.service | nginx.service) exit 101 ;; esac
done
[ -x "$saved" ] && exec "$saved" "\$@"
exit 0
END
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
apt-get update
# shellcheck disable=SC2086
apt-get install -y --no-install-recommends --no-upgrade $missing

for service in $new_services; do
    if [ -e "/etc/init.d/$service" ] || [ -e "/lib/systemd/system/$service.service" ]; then
        if command -v systemctl >/dev/null 2>&1; then
            systemctl disable --quiet "$service" >/dev/null 2>&1 || true
        else
            update-rc.d "$service" disable >/dev/null 2>&1 || true
        fi
    fi
done
