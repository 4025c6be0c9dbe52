"""JSON bodies: what is read, and what is refused as malformed."""

import pytest

from client import ALL_APPLICATIONS
from expect import assert_problem

JSON = {"Content-Type": "application/json"}
BOM = b"\xef\xbb\xbf"


def nested(depth: int) -> bytes:
    """A message whose member `x` makes the whole this deep, the outer object counted."""
    inner = b"[" * (depth - 1) + b"]" * (depth - 1)
    return b'{"x":' + inner + b',"message_body":"x"}'


@pytest.mark.parametrize(
    "body, stored",
    [
        (b' \t\r\n{ "message_body" : "x" }\r\n ', "x"),
        (BOM + b'{"message_body":"x"}', "x"),
        (BOM + b' {"message_body":"x"}\n', "x"),
        (rb'{"message_body":"\u00e9\uD83D\ude42"}', "é🙂"),
        (rb'{"message_body":"\"\\\/\b\f\n\r\t"}', '"\\/\b\f\n\r\t'),
        (rb'{"message_body":"\\u0000"}', "\\u0000"),
        (rb'{"message_body":"\u0001\u007f"}', "\x01\x7f"),
        (b'{"message_body":"\x7f"}', "\x7f"),
        (rb'{"m\u0065ssage_body":"x"}', "x"),
        ('{"message_body":"é🙂\uffff\U0010ffff"}'.encode(), "é🙂\uffff\U0010ffff"),
        (b'{"message_body":"x","a":[],"b":{},"c":true,"d":false,"e":null,"":""}', "x"),
        (b'{"a":[0,-0,1.5,-1e9,2E+10,3e-5,1e400,98765432109876543210],"message_body":"x"}', "x"),
        (b'{"a":"message_body","b":{"message_body":"no"},"message_body":"x"}', "x"),
        (nested(32), "x"),
    ],
)  # fmt: skip
def test_good_json_is_read(client, messages, body, stored):
    assert client.post(messages, body, headers=JSON).json() == {"message_number": 1}
    assert client.read(f"{messages}/1")["message_body"] == stored


@pytest.mark.parametrize(
    "body",
    [
        # not one object
        b"null", b"true", b"5", b'"x"', b"[]", b'[{"message_body":"x"}]',
        # blanks only
        b" ", b"\r\n", BOM, BOM + b" ",
        # more than one value
        b'{"message_body":"x"}x', b'{"message_body":"x"}{}', b'{"message_body":"x"},',
        b'{"message_body":"x"}]', b'{"message_body":"x"}}', b'{"message_body":"x"}//',
        # cut
        b"{", b'{"', b'{"message_body"', b'{"message_body":', b'{"message_body":"x',
        b'{"message_body":"x"',
        b'{"message_body":"x",', b'{"message_body":"x\\', b'{"message_body":"\\u00', b'{"a":[1,2',
        # wrong punctuation
        b'{"message_body" "x"}', b'{"message_body":"x",}', b'{,"message_body":"x"}',
        b'{"a":1 "message_body":"x"}', b'{"a":[1,],"message_body":"x"}', b"{'message_body':'x'}",
        b'{message_body:"x"}', b'{"message_body"="x"}', b'{1:2,"message_body":"x"}',
        b'{"message_body":"x",/* */"a":1}', b'{"a":[1 2],"message_body":"x"}',
        b'{"a":[}],"message_body":"x"}', b'{"a":,"message_body":"x"}',
        # literals
        b'{"message_body":"x","a":tru}', b'{"message_body":"x","a":True}',
        b'{"message_body":"x","a":nul}', b'{"message_body":"x","a":nullx}',
        b'{"message_body":"x","a":undefined}',
        # numbers
        *(b'{"message_body":"x","a":' + number + b"}" for number in (
            b"01", b"-01", b"1.", b".5", b"+1", b"-", b"1e", b"1e+", b"0x1", b"NaN", b"Infinity",
            b"-Infinity", b"1.2.3", b"1_000", b"--1", b"1-", b"1.e5", b"0.",
        )),
        # escapes
        rb'{"message_body":"\x"}', rb'{"message_body":"\u12"}', rb'{"message_body":"\u12g4"}',
        rb'{"message_body":"\U0041"}', rb'{"message_body":"\uX000"}', rb'{"message_body":"\'"}',
        # lone surrogates
        rb'{"message_body":"\ud83d"}', rb'{"message_body":"\ude42"}',
        rb'{"message_body":"\ud83dx"}',
        rb'{"message_body":"\ud83d\u0041"}', rb'{"message_body":"\ude42\ud83d"}',
        rb'{"message_body":"\ud83d\ud83d"}', rb'{"message_body":"x","a":"\ud800"}',
        rb'{"message_body":"x","\ud800":1}',
        # control characters in strings
        b'{"message_body":"a\nb"}', b'{"message_body":"a\tb"}', b'{"message_body":"a\x01b"}',
        b'{"message_body":"a\x1fb"}', b'{"message_body":"x","a\n":1}',
        # a NUL byte anywhere
        b'\0{"message_body":"x"}', b'{"message_body":"x\0y"}', b'{"message_body":"x"}\0',
        b'{"message_body":"x"\0}', b'{"message_body\0":"x"}',
        # blanks that JSON does not know
        b'\x0b{"message_body":"x"}', b'{"message_body":\x0c"x"}', b'{"message_body":\xc2\xa0"x"}',
        b'{"message_body":"x"}\xe2\x80\xa8',
        # byte order marks elsewhere
        BOM + BOM + b'{"message_body":"x"}', b" " + BOM + b'{"message_body":"x"}',
        b'{"message_body":"x"}' + BOM, b"\xff\xfe{\0}\0",
        # bytes that are not UTF-8
        b'{"message_body":"\xff"}', b'{"message_body":"\xc3"}', b'{"message_body":"\xc0\x80"}',
        b'{"message_body":"\xc1\xbf"}', b'{"message_body":"\xe0\x80\xaf"}',
        b'{"message_body":"\xed\xa0\xbd\xed\xb9\x82"}', b'{"message_body":"\xf4\x90\x80\x80"}',
        b'{"message_body":"\xf8\x88\x80\x80\x80"}', b'{"message_body":"x","a":"\xff"}',
        b'{"message_body":"x","\xff":1}', b'{"message_body":"x"}\xff',
    ],
)  # fmt: skip
def test_bad_json_is_malformed_and_takes_no_number(client, messages, body):
    assert_problem(client.post(messages, body, headers=JSON), 400, "malformed_json")
    assert client.post(messages, b'{"message_body":"x"}').json() == {"message_number": 1}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(33), id="33 levels"),
        pytest.param(nested(100_000), id="100,000 levels"),
        pytest.param(b"[" * 100_000, id="100,000 arrays opened"),
        pytest.param(b'{"a":' * 100_000, id="100,000 objects opened"),
    ],
)
def test_json_that_is_too_deep_is_malformed(client, messages, body):
    assert_problem(client.post(messages, body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize("depth, status", [(32, 201), (33, 400)])
def test_objects_count_for_the_depth_as_arrays_do(client, messages, depth, status):
    inner = b'{"a":' * (depth - 2) + b"{}" + b"}" * (depth - 2)
    reply = client.post(messages, b'{"x":' + inner + b',"message_body":"x"}', headers=JSON)
    assert reply.status == status, reply


@pytest.mark.parametrize("value", [b"5", b"0", b"1.5", b"true", b"false", b"[]", b'["x"]', b"{}"])
def test_a_value_that_is_no_string_has_the_wrong_type(client, application, chat, value):
    client.write(chat, "x")
    for send, path, name in [
        (client.post, f"{chat}/messages", b"message_body"),
        (client.put, f"{chat}/messages/1", b"message_body"),
        (client.post, ALL_APPLICATIONS, b"name"),
        (client.put, application, b"name"),
        (client.post, f"{application}/chats", b"name"),
        (client.patch, chat, b"name"),
    ]:
        reply = send(path, b'{"' + name + b'":' + value + b"}", headers=JSON)
        assert_problem(reply, 422, "invalid_type")


def test_a_value_of_the_wrong_type_wins_over_the_query(client, messages):
    reply = client.post(f"{messages}?message_body=x", b'{"message_body":5}', headers=JSON)
    assert_problem(reply, 422, "invalid_type")


@pytest.mark.parametrize("text", [r"\u0000", r"a\u0000", r"\u0000b", r"a\u0000b"])
def test_an_escaped_nul_is_no_text(client, application, chat, text):
    client.write(chat, "x")
    for send, path, name in [
        (client.post, f"{chat}/messages", "message_body"),
        (client.put, f"{chat}/messages/1", "message_body"),
        (client.post, ALL_APPLICATIONS, "name"),
        (client.put, application, "name"),
        (client.post, f"{application}/chats", "name"),
        (client.put, chat, "name"),
    ]:
        reply = send(path, f'{{"{name}":"{text}"}}'.encode(), headers=JSON)
        assert_problem(reply, 422, "invalid_text")
