#!/usr/bin/env bash
# Everything that has to hold before a change goes in: formatting, lints, tests, documentation, and where cargo-deny is
# installed what the program may be made from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# rustup may keep cargo where a bare shell does not look.
if ! command -v cargo >/dev/null && [ -f "${CARGO_HOME:-$HOME/.cargo}/env" ]; then
    . "${CARGO_HOME:-$HOME/.cargo}/env"
fi
if ! command -v cargo >/dev/null; then
    echo "check: cargo is missing; install Rust from https://rustup.rs" >&2
    exit 1
fi
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    echo "check: adding rustfmt and clippy" >&2
    rustup component add rustfmt clippy
fi

step() {
    echo "== $*"
    "$@"
}

step cargo fmt --check
if cargo deny --version >/dev/null 2>&1; then
    # Known vulnerabilities are looked up apart (CONTRIBUTING.md): they come up without a change here.
    step cargo deny --locked check licenses bans sources
else
    echo "== licences, duplicate versions and sources: skipped, there is no cargo-deny (cargo install --locked cargo-deny)"
fi
step cargo clippy --locked --all-targets -- -D warnings
step cargo clippy --locked --no-default-features -- -D warnings
step cargo test --locked
export RUSTDOCFLAGS="-D warnings"
step cargo doc --locked --no-deps
echo "== all checks passed"
