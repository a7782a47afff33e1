package errs

// Codes of keys and certificates for TLS.
var (
	TLSStore = Code{
		ID: "E-TLS-STORE", Exit: ExitInput, Title: "A key store or trust store does not hold what it should",
		Explanation: "JKS and PKCS12 stores, as Java's keytool makes them, and PEM files are read. The file is none of them, is damaged or larger than 16 MiB, has another type than the settings say, holds no private key (of a key store) or no trusted certificate (of a trust store), or is encrypted in a way that is not known.",
		Remedy:      "Look into it with keytool -list -v -keystore FILE. A certificate becomes trusted by keytool -importcert -alias NAME -file FILE.",
	}
	TLSPassword = Code{
		ID: "E-TLS-PASSWORD", Exit: ExitInput, Title: "A password does not open a key store, a trust store or a key",
		Explanation: "ssl.keystore.password and ssl.truststore.password open stores, ssl.key.password the keys in them; without ssl.key.password keys have the password of their store. A store that somebody has changed without knowing its password looks the same.",
		Remedy:      "Try the password with keytool -list -keystore FILE. In properties files and YAML look for blanks and quotes around it.",
	}
	TLSExpired = Code{
		ID: "E-TLS-EXPIRED", Exit: ExitInput, Title: "The certificate that this side would show has expired, or is not valid yet",
		Explanation: "A listener would show it to every client, and a client shows it to a broker that asks for one: whoever checks certificates would turn it away.",
		Remedy:      "Put a new certificate into the key store and start again; look at the clock when the certificate is new.",
	}
)

func tlsCodes() []Code { return []Code{TLSStore, TLSPassword, TLSExpired} }
