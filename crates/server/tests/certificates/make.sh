#!/bin/sh
# Makes the certificates that the tests of credentials read, with OpenSSL; they are valid for a hundred years.
set -eu
cd "$(dirname "$0")"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
ca() {
    key "$1.key.tmp"
    openssl req -x509 -new -key "$1.key.tmp" -sha256 -days 36500 -subj "/O=Dunlin/CN=$2" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -out "$1.pem"
}
leaf() { # name, issuer, subject, days, alternative names
    key "$1.key.tmp"
    openssl req -new -key "$1.key.tmp" -subj "$3" -out "$1.csr.tmp"
    printf 'keyUsage=critical,digitalSignature\n%s\n' "${5:-}" > "$1.ext.tmp"
    openssl x509 -req -in "$1.csr.tmp" -CA "$2.pem" -CAkey "$2.key.tmp" -sha256 -days "$4" -extfile "$1.ext.tmp" -out "$1.pem"
}
ca authority "Dunlin test authority"
ca other "Another authority"
leaf device authority "/O=Dunlin/CN=dev-9" 36500 "subjectAltName=URI:urn:dev:os:32473-9,DNS:dev-9.example"
leaf nameless authority "/O=Dunlin" 36500
leaf short authority "/CN=dev-9" 1
leaf server authority "/CN=lwm2m.example" 36500 "subjectAltName=DNS:lwm2m.example"
cp server.key.tmp server.key.pem
rm -f ./*.tmp ./*.srl
