#!/bin/sh
# Runs the tests that drive a real Orthanc on Debian 13's: it has labels, another Python, another plugin.
#
#   sudo scripts/debian13.sh [ARGUMENTS OF PYTEST]
#
# Needs debootstrap. Debian 13 comes from the mirror this machine's apt uses and lies in $HEADCT_DEBIAN13,
# which is kept. Mounts and processes live in namespaces of their own and end with the script.
set -eu

project=$(cd "$(dirname "$0")/.." && pwd)
debian=${HEADCT_DEBIAN13:-/var/tmp/headct-debian13}
shared=${HEADCT_SHARED_DATA:-$project/../shared/data}

if [ "${1:-}" != --inside ]; then
    if [ ! -d "$debian/etc/apt" ] || [ -d "$debian/debootstrap" ]; then
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
        debootstrap --variant=minbase --include=ca-certificates trixie "$debian" "$mirror"
    fi
    cp -L /etc/resolv.conf "$debian/etc/resolv.conf"
    exec unshare --mount --pid --fork --kill-child "$0" --inside "$@"
fi
shift

mkdir -p "$debian$project" "$debian/shared"
mount -t proc proc "$debian/proc"
mount --bind "$project" "$debian$project"
if [ -d "$shared" ]; then mount --bind -o ro "$shared" "$debian/shared"; else rmdir "$debian/shared"; fi
# The certificates this machine trusts, a proxy's own among them.
mount --bind -o ro /etc/ssl/certs/ca-certificates.crt "$debian/etc/ssl/certs/ca-certificates.crt"

# What was installed for this machine's Python is not looked at: the environment lies beside the project.
exec chroot "$debian" env LC_ALL=C.UTF-8 HEADCT_SHARED_DATA=/shared sh -euc '
    project=$1
    shift
    "$project/scripts/install_packages.sh" orthanc orthanc-python orthanc-dicomweb dcmtk dicom3tools \
        nginx-light python3-venv
    [ -x /opt/headct/bin/pip ] || python3 -m venv /opt/headct
    cd "$project"
    /opt/headct/bin/pip install --quiet --constraint constraints.txt --editable ".[orthanc-test]"
    # How deep its parsers go.
    [ $# -gt 0 ] || /opt/headct/bin/python tests/soak/nesting.py
    [ $# -gt 0 ] || set -- tests/orthanc_plugin/test_in_orthanc.py tests/orthanc_plugin/intake/test_wsgi.py \
        tests/orthanc_plugin/access tests/e2e/test_real_studies.py tests/e2e/test_character_sets.py tests/e2e/test_restart.py
    exec /opt/headct/bin/pytest -p no:cacheprovider "$@"
' sh "$project" "$@"
