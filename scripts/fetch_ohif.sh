#!/bin/sh
# Unpacks the prebuilt OHIF viewer into the folder $1.
#
# Only the package @ohif/app itself is fetched: its dist/ is complete, while an ordinary npm install would
# add some forty libraries that are already bundled into it. The hash makes the download the one tested.
set -eu

version=3.13.2
sha512=5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
target=$1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
npm pack --silent --pack-destination "$work" "@ohif/app@$version" >/dev/null
echo "$sha512  $work/ohif-app-$version.tgz" | sha512sum --quiet --check
# Source maps are half of its size and of use to nobody here.
tar -xzf "$work/ohif-app-$version.tgz" -C "$work" --exclude='*.map' package/dist package/LICENSE
rm -rf "$target"
mkdir -p "$(dirname "$target")"
mv "$work/package/dist" "$target"
mv "$work/package/LICENSE" "$target/LICENSE"
