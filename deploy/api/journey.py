"""A journey through the API with the generated Python client: upload a CSV, start a run, wait for its end, read what it made."""

import os
import time

import httpx
from luci_client import AuthenticatedClient
from luci_client.api.default import (
    announce_upload,
    complete_upload,
    get_run,
    list_artifacts,
    start_run,
)
from luci_client.models import NewUpload, RunOptions, StartRun

LEADS = 20
DEADLINE_S = 120
ENDED = ("completed", "failed", "cancelled")


def rows() -> bytes:
    """A CSV whose leads all have a company and a telephone number."""
    lines = ["Company,First Name,Last Name,Phone,City,State"]
    lines += [f"Firm {n},Ada,L{n},(212) 555-{n:04},New York,NY" for n in range(LEADS)]
    return ("\n".join(lines) + "\n").encode()


def main() -> None:
    client = AuthenticatedClient(base_url=os.environ["LUCI_URL"], token=os.environ["LUCI_API_KEY"], raise_on_unexpected_status=True)
    csv = rows()
    upload = announce_upload.sync(client=client, body=NewUpload("python.csv", len(csv), "text/csv"))
    put = httpx.request(upload.method, upload.url, content=csv, headers=upload.headers.to_dict())
    put.raise_for_status()
    imported = complete_upload.sync(upload.import_id, client=client)
    assert imported.rows == LEADS, imported

    started = start_run.sync(client=client, body=StartRun(import_id=imported.import_id, options=RunOptions(block_size=10)))
    until = time.monotonic() + DEADLINE_S
    while (detail := get_run.sync(started.run_id, client=client, luci_min_position=started.position)).run.status not in ENDED:
        assert time.monotonic() < until, detail.run.status
        time.sleep(0.2)
    assert detail.run.status == "completed", detail.run
    assert detail.run.processed_leads == LEADS, detail.run

    artifacts = list_artifacts.sync(started.run_id, client=client).artifacts
    assert artifacts, "the run made no artifact"
    path = f"/api/pipelines/{started.run_id}/artifacts/{artifacts[0].artifact_id}"
    redirect = client.get_httpx_client().get(path)
    part = httpx.get(redirect.headers["location"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10), part
    print(f"python: run {started.run_id} made {len(artifacts)} artifacts")


main()
