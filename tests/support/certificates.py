"""Certificates for tests of TLS: a CA with a certificate for localhost, and a CA that nothing trusts."""

import subprocess
import time
from pathlib import Path


def _asn1(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


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

    def issue_until(self, name, common_name, end, issuer="ca"):
        """The same for a client; the certificate expires at that Unix time."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={common_name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._authority(issuer, "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext", "-startdate", _asn1(time.time() - 86_400), "-enddate", _asn1(end))
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def revoke(self, name, issuer="ca"):
        self._authority(issuer, "-revoke", f"{name}.pem")

    def revocations(self, issuer="ca", seconds=86_400):
        """The text of a revocation list that is valid for this time."""
        self._authority(issuer, "-gencrl", "-crlsec", str(seconds), "-out", f"{issuer}.crl")
        return (self.folder / f"{issuer}.crl").read_text()

    def _authority(self, issuer, *words):
        """Runs openssl ca, whose database is beside the certificates."""
        settings = self.folder / f"{issuer}.cnf"
        if not settings.exists():
            (self.folder / f"{issuer}.index").touch()
            (self.folder / f"{issuer}.index.attr").write_text("unique_subject = no\n")
            (self.folder / f"{issuer}.crlnumber").write_text("01\n")
            (self.folder / f"{issuer}.serial").write_text("1000\n")
            settings.write_text(f"[ca]\ndefault_ca = a\n[a]\ndatabase = {issuer}.index\ncrlnumber = {issuer}.crlnumber\nserial = {issuer}.serial\nnew_certs_dir = .\n"
                                f"default_md = sha256\nunique_subject = no\npolicy = p\n[p]\ncommonName = supplied\n")
        self._openssl("ca", "-batch", "-config", settings.name, "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key", *words)

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)
