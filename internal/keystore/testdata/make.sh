#!/bin/sh
# Makes the stores of this folder with Java's keytool (17) and openssl; they are kept, so that tests need neither.
set -eu
cd "$(dirname "$0")"
rm -f ./*.tmp ./*.jks ./*.p12 ./*.pem
export LC_ALL=C.UTF-8
kt() { keytool -noprompt -J-Dfile.encoding=UTF-8 -J-Dsun.jnu.encoding=UTF-8 "$@" 2>/dev/null; }
new() { kt -genkeypair -keyalg EC -groupname secp256r1 -validity 36500 -dname "CN=$1" -alias "$@"; }
pass="-storepass storepass"

# An authority, and a server's key that it has signed.
new ca -ext bc:c -keystore ca.tmp -storetype PKCS12 $pass
kt -exportcert -rfc -alias ca -keystore ca.tmp $pass > ca.pem
new Server -ext san=ip:127.0.0.1,dns:localhost -keystore server.jks -storetype JKS $pass -keypass keypass1
kt -certreq -alias server -keystore server.jks $pass -keypass keypass1 |
	kt -gencert -rfc -validity 36500 -alias ca -ext san=ip:127.0.0.1,dns:localhost -keystore ca.tmp $pass > server.tmp
kt -importcert -alias ca -file ca.pem -keystore server.jks -storetype JKS $pass
kt -importcert -alias server -file server.tmp -keystore server.jks -storetype JKS $pass -keypass keypass1

# The same store as PKCS12: as Java 17 writes it, as Java 8 did, and by openssl.
kt -importkeystore -srckeystore server.jks -srcstorepass storepass -srckeypass keypass1 -srcalias server -destkeystore server.p12 -deststoretype PKCS12 -deststorepass storepass -destkeypass storepass
kt -J-Dkeystore.pkcs12.legacy -importkeystore -srckeystore server.p12 -srcstorepass storepass -destkeystore legacy.p12 -deststoretype PKCS12 -deststorepass storepass
openssl pkcs12 -in server.p12 -passin pass:storepass -nodes -out server.tmp 2>/dev/null
openssl pkcs12 -export -in server.tmp -name server -passout pass:storepass -out openssl.p12
openssl pkcs12 -export -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-3DES -in server.tmp -passout pass: -out empty.p12

# The authority alone: as JKS, as PKCS12, as PKCS12 without encryption and digest, and without Java's mark.
kt -importcert -alias ca -file ca.pem -keystore trust.jks -storetype JKS $pass
kt -importcert -alias ca -file ca.pem -keystore trust.p12 -storetype PKCS12 $pass
kt -J-Dkeystore.pkcs12.macAlgorithm=NONE -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE -importcert -alias ca -file ca.pem -keystore open.p12 -storetype PKCS12 $pass
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:storepass -out unmarked.p12

# A client's key beside the authority, several keys, one that has expired, and a password beyond ASCII.
new client -keystore both.p12 -storetype PKCS12 $pass
kt -importcert -alias ca -file ca.pem -keystore both.p12 $pass
new zoe -keystore several.p12 -storetype PKCS12 $pass
new adam -keystore several.p12 -storetype PKCS12 $pass
new late -startdate 2020/01/01 -validity 30 -ext san=ip:127.0.0.1 -keystore expired.jks -storetype JKS $pass -keypass storepass
kt -importkeystore -srckeystore expired.jks -srcstorepass storepass -destkeystore umlaut.jks -deststoretype JKS -deststorepass 'pässwörd€' -destkeypass 'pässwörd€'
openssl pkcs12 -export -in server.tmp -passout pass:'pässwörd€' -out umlaut.p12 # Java takes no such password for PKCS12

# A key in PEM that a password protects, after its certificates.
openssl pkcs12 -in server.p12 -passin pass:storepass -passout pass:keypass1 -out sealed.pem 2>/dev/null
rm -f ./*.tmp
