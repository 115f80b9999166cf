"""A service that draws labels, with nothing but Python's standard library.

    python3 printer.py [PORT]

GET /label/<tag> answers a PDF. POST /print takes Insula's context and answers the job that it became.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import unquote

JOBS = count(1)


def pdf(text):
    """A page of 60 by 30 millimetres with a text on it."""
    shown = "".join("\\" + c if c in "\\()" else c for c in text).encode("latin-1", "replace")
    drawing = b"BT /F1 14 Tf 12 38 Td (" + shown + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 170 85] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length " + str(len(drawing)).encode() + b" >>\nstream\n" + drawing + b"\nendstream",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


class Printer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if not self.path.startswith("/label/"):
            return self.answer(404, "text/plain", b"no such label\n")
        tag = unquote(self.path[len("/label/"):].split("?")[0])
        disposition = 'inline; filename="label.pdf"'
        return self.answer(200, "application/pdf", pdf(tag), Content_Disposition=disposition)

    def do_POST(self):
        context = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        payload = context["payload"]
        job = {"job": next(JOBS), "tag": payload["tag"], "copies": payload.get("copies", 1), "for": context["username"]}
        return self.answer(200, "application/json", json.dumps(job).encode())

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 7001), Printer)
    print(f"drawing labels at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
