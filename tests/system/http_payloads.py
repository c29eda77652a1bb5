"""Requests that two servers could read in two ways, or that are none: each is to be refused, and what stands behind it
is never to be read as a request. Name, bytes."""

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


def post(*fields, body=b""):
    return b"\r\n".join((b"POST /count HTTP/1.1", b"Host: h", *fields)) + b"\r\n\r\n" + body


def get(*fields, line=b"GET /hello HTTP/1.1"):
    return b"\r\n".join((line, *fields)) + b"\r\n\r\n"


def chunked(body, *fields):
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


HOST = b"Host: h"
ONE = b"1\r\nX\r\n0\r\n\r\n"

REFUSED = [
    # where the body ends
    ("length and chunked", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    ("chunked and length", post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n")),
    ("two lengths", post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello")),
    ("two equal lengths", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello")),
    ("a list of lengths", post(b"Content-Length: 5, 5", body=b"hello")),
    ("a length with a sign", post(b"Content-Length: +5", body=b"hello")),
    ("a negative length", post(b"Content-Length: -1", body=b"hello")),
    ("a hexadecimal length", post(b"Content-Length: 0x5", body=b"hello")),
    ("an empty length", post(b"Content-Length:", body=b"hello")),
    ("a length with a blank", post(b"Content-Length: 5 5", body=b"hello")),
    ("a length with a dot", post(b"Content-Length: 5.0", body=b"hello")),
    ("a length that overflows", post(b"Content-Length: 18446744073709551621", body=b"hello")),
    ("a length of 19 digits", post(b"Content-Length: 0000000000000000005", body=b"hello")),
    ("a blank before the colon of the length", post(b"Content-Length : 5", body=b"hello")),
    ("a tab before the colon of the coding", post(b"Transfer-Encoding\t: chunked", body=ONE)),
    ("another coding", post(b"Transfer-Encoding: gzip", body=ONE)),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=ONE)),
    ("chunked, identity", post(b"Transfer-Encoding: chunked, identity", body=ONE)),
    ("chunked twice in one", post(b"Transfer-Encoding: chunked, chunked", body=ONE)),
    ("chunked twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=ONE)),
    ("xchunked", post(b"Transfer-Encoding: xchunked", body=ONE)),
    ("a vertical tab before chunked", post(b"Transfer-Encoding: \x0bchunked", body=ONE)),
    ("chunked in quotes", post(b"Transfer-Encoding: \"chunked\"", body=ONE)),
    ("chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1", body=ONE)),
    ("an empty coding", post(b"Transfer-Encoding:", body=ONE)),
    ("identity", post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello")),
    ("chunked of HTTP/1.0", b"POST /count HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + ONE),
    # chunks
    ("a chunk's size with 0x", chunked(b"0x1\r\nX\r\n0\r\n\r\n")),
    ("a chunk's size with a sign", chunked(b"+1\r\nX\r\n0\r\n\r\n")),
    ("a negative chunk", chunked(b"-1\r\nX\r\n0\r\n\r\n")),
    ("an empty chunk's size", chunked(b"\r\nX\r\n0\r\n\r\n")),
    ("a chunk's size that overflows", chunked(b"10000000000000001\r\nX\r\n0\r\n\r\n")),
    ("a chunk's size that is none", chunked(b"G\r\nX\r\n0\r\n\r\n")),
    ("a blank before a chunk's size", chunked(b" 1\r\nX\r\n0\r\n\r\n")),
    ("a chunk's line by LF", chunked(b"1\nX\r\n0\r\n\r\n")),
    ("a chunk's line by CR and X", chunked(b"1\rX\r\n0\r\n\r\n")),
    ("a chunk without its CRLF", chunked(b"1\r\nX0\r\n\r\n")),
    ("a chunk longer than said", chunked(b"1\r\nXY\r\n0\r\n\r\n")),
    ("a LF behind a chunk", chunked(b"1\r\nX\n0\r\n\r\n")),
    ("a length in a trailer", chunked(b"0\r\nContent-Length: 5\r\n\r\n")),
    ("a coding in a trailer", chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")),
    ("a folded trailer", chunked(b"0\r\nX: a\r\n b\r\n\r\n")),
    ("a trailer without a name", chunked(b"0\r\n: a\r\n\r\n")),
    ("a trailer by LF", chunked(b"0\r\nX: a\n\r\n")),
    # lines and fields
    ("a header by LF", b"GET /hello HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
    ("all lines by LF", b"GET /hello HTTP/1.1\nHost: h\n\n"),
    ("a header by CR", b"GET /hello HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"),
    ("an end by CR CR", b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\rZ"),
    ("a folded header", get(HOST, b"X: a\r\n b")),
    ("a folded header by tab", get(HOST, b"X: a\r\n\tb")),
    ("a fold before the first header", b"GET /hello HTTP/1.1\r\n X: y\r\nHost: h\r\n\r\n"),
    ("a blank before the colon", get(HOST, b"X : y")),
    ("a header without a name", get(HOST, b": y")),
    ("a header without a colon", get(HOST, b"X")),
    ("a NUL in a value", get(HOST, b"X: a\0b")),
    ("a NUL in a name", get(HOST, b"X\0: a")),
    ("a control byte in a value", get(HOST, b"X: a\x01b")),
    ("a DEL in a value", get(HOST, b"X: a\x7fb")),
    ("a bracket in a name", get(HOST, b"X[]: a")),
    ("a letter beyond ASCII in a name", get(HOST, b"X\xc3\xa4: a")),
    # the host
    ("no host", get(b"X: y")),
    ("two hosts", get(HOST, HOST)),
    ("two hosts that differ", get(HOST, b"Host: i")),
    ("two hosts of HTTP/1.0", get(HOST, HOST, line=b"GET /hello HTTP/1.0")),
    ("an empty host", get(b"Host:")),
    ("a list of hosts", get(b"Host: h, i")),
    ("a host with a path", get(b"Host: h/x")),
    ("a host with a user", get(b"Host: u@h")),
    # the request line
    ("HTTP/0.9", b"GET /hello\r\n\r\n"),
    ("HTTP/1.2", get(HOST, line=b"GET /hello HTTP/1.2")),
    ("HTTP/2.0", get(HOST, line=b"GET /hello HTTP/2.0")),
    ("HTTP/1.10", get(HOST, line=b"GET /hello HTTP/1.10")),
    ("http/1.1", get(HOST, line=b"GET /hello http/1.1")),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("two blanks before the target", get(HOST, line=b"GET  /hello HTTP/1.1")),
    ("two blanks before the version", get(HOST, line=b"GET /hello  HTTP/1.1")),
    ("a tab before the target", get(HOST, line=b"GET\t/hello HTTP/1.1")),
    ("a blank behind the version", get(HOST, line=b"GET /hello HTTP/1.1 ")),
    ("a blank in the target", get(HOST, line=b"GET /he llo HTTP/1.1")),
    ("a blank before the method", get(HOST, line=b" GET /hello HTTP/1.1")),
    ("a request line by LF", b"GET /hello HTTP/1.1\nHost: h\r\n\r\n"),
    ("an unknown method", get(HOST, line=b"GETS /hello HTTP/1.1")),
    ("a method in small letters", get(HOST, line=b"get /hello HTTP/1.1")),
    ("a method with a bracket", get(HOST, line=b"GE[T /hello HTTP/1.1")),
    ("many empty lines", b"\r\n" * 100 + get(HOST)),
    ("an empty line by LF", b"\n" + get(HOST)),
    ("bytes of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64),
    # the target
    ("a whole URL", get(HOST, line=b"GET http://h/hello HTTP/1.1")),
    ("a whole URL of another host", get(HOST, line=b"GET http://i/hello HTTP/1.1")),
    ("an authority", get(HOST, line=b"CONNECT h:80 HTTP/1.1")),
    ("an authority for GET", get(HOST, line=b"GET h:80 HTTP/1.1")),
    ("CONNECT with a path", get(HOST, line=b"CONNECT /hello HTTP/1.1")),
    ("* for GET", get(HOST, line=b"GET * HTTP/1.1")),
    ("no slash", get(HOST, line=b"GET hello HTTP/1.1")),
    ("a fragment", get(HOST, line=b"GET /hello#x HTTP/1.1")),
    ("a backslash", get(HOST, line=b"GET /hello\\x HTTP/1.1")),
    ("a NUL in the target", get(HOST, line=b"GET /hel\0lo HTTP/1.1")),
    ("an encoded NUL", get(HOST, line=b"GET /hello%00 HTTP/1.1")),
    ("half an encoded byte", get(HOST, line=b"GET /hello%4 HTTP/1.1")),
    ("a byte beyond ASCII in the target", get(HOST, line=b"GET /h\xc3\xa4 HTTP/1.1")),
    ("another expectation", post(b"Expect: 200-maybe", b"Content-Length: 5", body=b"hello")),
]

# Odd, but with one reading: how many requests they are, of which all are answered 200.
ACCEPTED = [
    ("an empty line before", b"\r\n" + get(HOST), 1),
    ("a body of GET", b"GET /count HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get(HOST), 2),
    ("no blank behind the colon", get(b"Host:h"), 1),
    ("blanks around a value", get(b"Host: \t h \t"), 1),
    ("bytes beyond ASCII in a value", get(HOST, b"X: \xc3\xa4\xff"), 1),
    ("a length in capitals", post(b"CONTENT-LENGTH: 5", body=b"hello"), 1),
    ("a length with zeros", post(b"Content-Length: 0005", body=b"hello") + get(HOST), 2),
    ("Chunked", post(b"Transfer-Encoding: Chunked", body=ONE) + get(HOST), 2),
    ("chunks in capitals, an extension, a trailer",
     chunked(b"A;a=b\r\n0123456789\r\n0;x\r\nX: y\r\n\r\n") + get(HOST), 2),
    ("an upgrade that is not followed", get(HOST, b"Connection: Upgrade", b"Upgrade: websocket") + get(HOST), 2),
    ("h2c that is not followed",
     get(HOST, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk") + get(HOST), 2),
    ("an upgrade with a body", post(b"Connection: upgrade", b"Upgrade: x", b"Content-Length: 5", body=b"hello") + get(HOST), 2),
    ("HTTP/1.0 without a host", b"GET /hello HTTP/1.0\r\n\r\n", 1),
    ("a query with all that may stand there", get(HOST, line=b"GET /size/1?a={b}|^\"<>`&c=%20 HTTP/1.1"), 1),
    ("an address of IPv6", get(b"Host: [::1]:9000"), 1),
    ("a hundred headers", get(HOST, *(b"X: y" for _ in range(99))), 1),
]
