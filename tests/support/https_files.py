"""A file server over HTTPS for tests: ranges, and everything that can go wrong. Plain standard library.

https_files.py FOLDER CERT KEY PORTFILE LOG. Beside files under /FILE it answers
/cut/N/FILE (N bytes, then the connection ends), /altered/FILE, /longer/FILE, /endless/FILE (no length, never ends),
/shorter/FILE, /http/FILE (redirect to plain HTTP), /elsewhere/FILE (to another host), /moved/FILE (on this host),
/loop/FILE, /page/FILE (404 with a long page), /changed/FILE (another version at each request), /noranges/FILE,
/half/FILE (half of it, and no more while the client waits)."""
import hashlib
import http.server
import os
import re
import ssl
import sys

folder, cert, key, portfile, log = sys.argv[1:6]
versions = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def end(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        global versions
        parts = self.path.strip("/").split("/")
        how, name = (parts[0], parts[-1]) if len(parts) > 1 else ("", parts[0])
        with open(log, "a") as f:
            f.write("%s %s %s\n" % (self.path, self.headers.get("Range", "-"), self.headers.get("If-Range", "-")))
        if how in ("http", "elsewhere", "moved", "loop"):
            port = self.server.server_port
            self.end(302, [("Location", {
                "http": "http://localhost:%d/%s" % (port, name),
                "elsewhere": "https://127.0.0.1:%d/%s" % (port, name),
                "moved": "/" + name,
                "loop": "/loop/" + name}[how])])
            return
        if how == "page":
            self.end(404, body=b"no such file" * 10000)
            return
        path = os.path.join(folder, os.path.basename(name))
        if not os.path.isfile(path):
            self.end(404, body=b"no such file")
            return
        data = open(path, "rb").read()
        if how == "altered":
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        elif how == "longer":
            data += b"x"
        elif how == "shorter":
            data = data[:-1]
        elif how == "changed":
            versions += 1
        elif how == "endless":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(data)
            except OSError:
                self.close_connection = True
            return
        tag = '"%s-%d"' % (hashlib.sha256(data).hexdigest()[:16], versions)
        headers, status = [("ETag", tag)], 200
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and how != "noranges" and self.headers.get("If-Range", tag) == tag:
            start = int(match.group(1))
            if start >= len(data):
                self.end(416)
                return
            headers.append(("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data))))
            data, status = data[start:], 206
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            if how == "cut" or how == "changed" and versions == 1:
                self.wfile.write(data[:int(parts[1]) if how == "cut" else 5000])
                self.close_connection = True
            elif how == "half":
                self.wfile.write(data[:len(data) // 2])
                self.rfile.read(1)  # until it has gone
                self.close_connection = True
            else:
                self.wfile.write(data)
        except OSError:
            self.close_connection = True


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(portfile + ".new", "w") as f:
    f.write(str(server.server_port))
os.rename(portfile + ".new", portfile)
server.serve_forever()
