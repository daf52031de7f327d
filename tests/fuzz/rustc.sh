#!/bin/sh
# The compiler of the crates of this workspace in a fuzz build: with LLVM's counters of coverage, which a stable compiler has too.
# Crates of others are built as usual. Build scripts and macros run in the compiler, which does not know the counters.
case " $* " in
*" --crate-name build_script_"* | *" --crate-type proc-macro "* | *" -vV "*) exec "$@" ;;
esac
exec "$@" -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
