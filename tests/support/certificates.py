"""Certificates for tests of TLS: a CA with a certificate for localhost, and a CA that nobody asked."""

import subprocess
from pathlib import Path


class Certificates:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("ca", "stranger"):
            self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")
        self.ca, self.stranger = self.folder / "ca.pem", self.folder / "stranger.pem"
        self.certificate, self.key = self.folder / "server.pem", self.folder / "server.key"

    def issue(self, name, common_name="localhost", alternative="DNS:localhost,IP:127.0.0.1", issuer="ca", days=2, key=("-newkey", "rsa:2048")):
        """(certificate, key) in files of that name, signed by one of the CAs."""
        self._openssl("req", *key, "-nodes", "-subj", f"/CN={common_name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / f"{name}.names").write_text(f"subjectAltName={alternative}\n" if alternative else "")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.names", "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)
