"""Sends requests as boto3 sends its own, with botocore's HTTP session. Reads a JSON list, writes a list of [status, headers]."""

import json
import sys

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

session = URLLib3Session()
answers = []
for asked in json.load(sys.stdin):
    request = AWSRequest(asked["method"], asked["url"], asked["headers"], asked["body"])
    response = session.send(request.prepare())
    response.content  # the connection is used again
    answers.append([response.status_code, {name.lower(): value for name, value in response.headers.items()}])
json.dump(answers, sys.stdout)
