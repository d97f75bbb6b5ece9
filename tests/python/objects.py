"""An S3 server for the tests of stores: moto in this process, behind a proxy that fails as a test wants it."""

import http.client
import http.server
import threading

import boto3
from conftest import LIMIT_S
from moto.server import ThreadedMotoServer

BUCKET = "lab-traces"
ADDRESS = f"s3://{BUCKET}/ring-project"
SECRET = "hush-hush-hush"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}


class S3:
    """A server with an empty bucket. `before` is called with the method and the path of each request that comes over
    `endpoint`; what it returns is the status of a refusal."""

    def __init__(self):
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        self.host, self.port = self.moto.get_host_and_port()
        direct = f"http://{self.host}:{self.port}"
        self.client = boto3.client("s3", endpoint_url=direct, aws_access_key_id="key", aws_secret_access_key=SECRET, region_name="us-east-1")
        self.client.create_bucket(Bucket=BUCKET)
        self.before, self.asked = lambda method, path: None, []
        self.proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.proxy.server_port}"

    def handler(self):
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                store.asked.append(f"{self.command} {self.path}")
                status, headers, reply = store.reply(self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "date", "server", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                # The length of a reply without a body is that of the object.
                length = dict((name.lower(), value) for name, value in headers).get("content-length", "0")
                self.send_header("Content-Length", length if self.command == "HEAD" else str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve

            def log_message(self, *arguments):
                pass

        return Handler

    def reply(self, method, path, headers, body):
        if refused := self.before(method, path):
            return refused, [], b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message></Error>"
        far = http.client.HTTPConnection(self.host, self.port, timeout=LIMIT_S)
        try:
            far.request(method, path, body, dict(headers))
            found = far.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            far.close()

    def variables(self):
        """The environment of a program that uses the store."""
        return {"CTP10_STORE": ADDRESS, "CTP10_STORE_ENDPOINT": self.endpoint, **KEYS}

    def keys(self, below=""):
        prefix = f"ring-project/{below}"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"].removeprefix("ring-project/") for page in pages for entry in page.get("Contents", [])]

    def read(self, name):
        return self.client.get_object(Bucket=BUCKET, Key=f"ring-project/{name}")["Body"].read()

    def put(self, name, body):
        self.client.put_object(Bucket=BUCKET, Key=f"ring-project/{name}", Body=body)

    def clear(self):
        for name in self.keys():
            self.client.delete_object(Bucket=BUCKET, Key=f"ring-project/{name}")

    def close(self):
        self.proxy.shutdown()
        self.proxy.server_close()
        self.moto.stop()
