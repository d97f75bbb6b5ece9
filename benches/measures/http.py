"""A client of the HTTP API on one connection."""

import http.client
import json


class Client:
    def __init__(self, address):
        self.address, self.connection = address, http.client.HTTPConnection(address, timeout=120)

    def get(self, path):
        self.connection.request("GET", path)
        reply = self.connection.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        return body

    def json(self, path):
        return json.loads(self.get(path))

    def run(self, recipe):
        """Runs a recipe; returns the identifier of the run."""
        self.connection.request("POST", "/runs", json.dumps({"recipe": recipe}), {"Content-Type": "application/json"})
        run = json.loads(self.connection.getresponse().read())["run"]
        while (state := self.json(f"/runs/{run}")["state"]) == "running":
            pass
        assert state == "done", state
        return run
