#!/bin/sh
# Installs what boto3 sends requests with into ./.tools/boto3, as pinned. Changes nothing when nothing is missing.
set -eu
cd "$(dirname "$0")"
tools=../../../.tools/boto3
if ! cmp -s requirements.txt $tools/requirements.txt; then
    echo "s3: installing botocore into ./.tools/boto3 with pip" >&2
    python3 -m venv --clear $tools
    $tools/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: -r requirements.txt >&2
    cp requirements.txt $tools/requirements.txt
fi
