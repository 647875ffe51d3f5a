#!/usr/bin/env bash
# Builds the archive of a release for Linux: a program that runs with any glibc from 2.17 on, its manual pages, completions
# and licences. No part of the usual check; it builds everything anew: half an hour on two cores.
#
#   bash tests/release.sh [FOLDER]      the archive and its SHA-256 go there; to target/release-archive by default
#
# Needs cargo-zigbuild and zig, which has glibc's symbols by version: where they are not on the PATH, python3 has them
# installed into target/tools. Needs objdump (binutils) to check what comes of it. CARGO_TARGET_DIR counts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

glibc=2.17
folder=${1:-target/release-archive}
build=${CARGO_TARGET_DIR:-target}
machine=$(uname -m)
version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml)
name=circuitscope-$version-$machine-linux

command -v objdump >/dev/null || { echo "release: objdump is missing; install binutils" >&2; exit 1; }
if ! command -v cargo-zigbuild >/dev/null; then
    tools=$PWD/target/tools
    python3 -m pip install --quiet --root-user-action=ignore --upgrade --target "$tools" cargo-zigbuild ziglang
    export PATH=$tools/bin:$PATH PYTHONPATH=$tools
fi

echo "== $name"
cargo zigbuild --locked --profile dist --bin circuitscope --target "$machine-unknown-linux-gnu.$glibc"
program=$build/$machine-unknown-linux-gnu/dist/circuitscope

# The newest version of glibc's symbols that the program asks for.
newest=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
echo "== it asks for glibc $newest, and for the libraries"
objdump -p "$program" | sed -n 's/^ *NEEDED */   /p'
if [ "$(printf '%s\n' "$newest" "$glibc" | sort -V | tail -n 1)" != "$glibc" ]; then
    echo "release: $program needs glibc $newest, and $glibc is the newest that it may need" >&2
    exit 1
fi

mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/man" "$root/completions"
cp "$program" README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT "$root"
"$program" manual >"$root/man/circuitscope.1"
for subcommand in $("$program" help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
    [ "$subcommand" = help ] || "$program" manual "$subcommand" >"$root/man/circuitscope-$subcommand.1"
done
"$program" completions bash >"$root/completions/circuitscope.bash"
"$program" completions zsh >"$root/completions/_circuitscope"
"$program" completions fish >"$root/completions/circuitscope.fish"

# The same bytes whenever it is packed.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C "$work" -cf - "$name" |
    gzip -9n >"$folder/$name.tar.gz"
(cd "$folder" && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
echo "== $(stat -c %s "$program") bytes of program, $(stat -c %s "$folder/$name.tar.gz") of archive"
