"""A minimal server of a network in ONNX, to compare serve with: http.server, onnxruntime, Pillow.

    peer.py NETWORK.onnx SCALE THREADS

A picture in the body of a POST is decoded, resized, multiplied by SCALE and predicted by
itself. The first line that it prints is its address.
"""
import io
import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime as ort
from PIL import Image

path, scale, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
options = ort.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
name, (_, channels, height, width) = session.get_inputs()[0].name, session.get_inputs()[0].shape


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the head and the body of an answer are one write

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        picture = Image.open(io.BytesIO(body)).convert("L" if channels == 1 else "RGB").resize((width, height), Image.BILINEAR)
        x = np.asarray(picture, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1) * np.float32(scale)
        y = session.run(None, {name: x[None]})[0][0]
        answer = json.dumps({"output": [float(v) for v in y]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Handler.disable_nagle_algorithm = True
server = Server(("127.0.0.1", 0), Handler)
server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
print(f"{ort.__version__} on http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
