"""nuropb-ctl mesh configure on a real broker: it creates what is missing, reports what it did, and its exit code is right."""

import json
import os
import re
import subprocess
import uuid

import pytest

from support.broker import connection, with_parts
from support.gateway import Gateway, toml
from support.paths import binary


@pytest.fixture
def vhost():
    return f"mesh {uuid.uuid4().hex[:8]}"  # with a space: it has to be encoded wherever it stands


@pytest.fixture
def url(managed_broker, vhost):
    return with_parts(managed_broker.url, vhost=vhost.replace(" ", "%20"))


def configure(url, *words, management=None, config=None):
    """Runs it; (exit code, stdout, stderr). The broker's password must never come out."""
    environment = {**os.environ, "NUROPB_AMQP_URLS": url, **({"NUROPB_AMQP_MANAGEMENT_URL": management} if management else {})}
    command = [binary("nuropb-ctl"), "mesh", "configure", *(["--config", str(config)] if config else []), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    for secret in {part.split("@")[0].rsplit(":", 1)[-1] for part in (url, management or "") if "@" in part} - {"guest"}:
        assert secret not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def words_of(text):
    """The first word of each line but the first and the last."""
    return {line.split()[0] for line in text.splitlines()[1:-1]}


def test_it_makes_all_and_the_second_time_all_is_there(managed_broker, url, vhost):
    management = managed_broker.management_url
    bindings = ["--rpc-binding", "second-name", "--event-binding", "news.#", "--event-binding", "*.alarm"]
    code, said, _ = configure(url, "--service", "sandbox", *bindings, "--dry-run", management=management)
    assert code == 3 and words_of(said) == {"missing"} and said.endswith("would create 11, nothing was changed\n"), said
    assert vhost not in managed_broker.ctl("--quiet", "list_vhosts")

    code, said, errors = configure(url, "--service", "sandbox", *bindings, management=management)
    assert code == 0 and words_of(said) == {"made"} and said.endswith("made 11\n"), said + errors
    for line in (f"vhost {vhost}", "exchange nuropb-rpc-exchange (direct)", "exchange nuropb-events-exchange (topic)", "exchange nuropb-dl-exchange (fanout)",
                 "queue nuropb-sandbox-dl", "queue nuropb-sandbox-sq", "binding of nuropb-sandbox-sq to nuropb-events-exchange with 'news.#'"):
        assert f"made    {line}\n" in said

    for words in ([], ["--dry-run"]):
        code, said, errors = configure(url, "--service", "sandbox", *bindings, *words, management=management)
        assert code == 0 and words_of(said) == {"there"} and said.endswith("everything exists\n"), said + errors
    code, said, _ = configure(url, "--service", "sandbox", *bindings, "--rpc-binding", "third", "--dry-run", management=management)
    assert code == 3 and "missing binding of nuropb-sandbox-sq to nuropb-rpc-exchange with 'third'\n" in said
    code, said, _ = configure(url, "--service", "sandbox", *bindings, "--rpc-binding", "third", "--dry-run", "--json", management=management)
    told = json.loads(said)
    assert code == 3 and (told["service"], told["made"], told["missing"]) == ("sandbox", 0, 1) and len(told["items"]) == 12
    assert [item for item in told["items"] if item["state"] != "there"] == [{"what": "binding of nuropb-sandbox-sq to nuropb-rpc-exchange with 'third'", "state": "missing"}]


def test_names_and_arguments_are_those_of_the_protocol(managed_broker, url, vhost):
    assert configure(url, "--service", "sandbox", "--event-binding", "news.#", management=managed_broker.management_url)[0] == 0
    exchanges = managed_broker.ctl("--quiet", "list_exchanges", "-p", vhost, "name", "type", "durable", "auto_delete", "arguments", "--formatter", "json")
    exchanges = {each["name"]: (each["type"], each["durable"], each["auto_delete"]) for each in json.loads(exchanges) if each["name"].startswith("nuropb")}
    assert exchanges == {"nuropb-rpc-exchange": ("direct", True, False), "nuropb-events-exchange": ("topic", True, False), "nuropb-dl-exchange": ("fanout", True, False)}
    queues = managed_broker.ctl("--quiet", "list_queues", "-p", vhost, "name", "durable", "auto_delete", "exclusive", "arguments", "--formatter", "json")
    queues = {each["name"]: (each["durable"], each["auto_delete"], each["exclusive"], str(each["arguments"])) for each in json.loads(queues)}
    assert queues["nuropb-sandbox-dl"][:3] == (False, False, False) and "x-dead" not in queues["nuropb-sandbox-dl"][3]
    assert queues["nuropb-sandbox-sq"][:3] == (True, False, False) and "nuropb-dl-exchange" in queues["nuropb-sandbox-sq"][3]
    assert len(queues) == 2


def test_what_it_makes_a_gateway_finds_right(managed_broker, url):
    with Gateway(url, settings={"amqp": {"management_url": managed_broker.management_url}}, wait_ready=False) as gateway:
        # Without etcd meshd makes no virtual host: it says what is missing, and goes on trying.
        gateway.meshd.wait_for_log("vhost refused")
        code, said, errors = configure(url, config=gateway.config_file, management=managed_broker.management_url)
        assert code == 0 and f"service {gateway.name}\n" in said, said + errors
        gateway.until_ready()


def test_nothing_is_replaced_or_deleted(managed_broker, url, vhost):
    managed_broker.ctl("add_vhost", vhost)
    managed_broker.ctl("set_permissions", "-p", vhost, "nuropb", ".*", ".*", ".*")
    with connection(url) as link:
        channel = link.channel()
        channel.queue_declare("nuropb-sandbox-sq", durable=True)  # without its dead-letter exchange
        channel.basic_publish("", "nuropb-sandbox-sq", b"{}")
    code, _, errors = configure(url, "--service", "sandbox", management=managed_broker.management_url)
    assert code == 1 and "406 PRECONDITION_FAILED" in errors and "nothing is deleted" in errors, errors
    with connection(url) as link:
        assert link.channel().queue_declare("nuropb-sandbox-sq", passive=True).method.message_count == 1


def test_without_the_management_all_but_the_vhost_is_made(managed_broker, url, vhost):
    nobody = "http://127.0.0.1:1/"
    code, _, errors = configure(url, management=nobody)
    assert code == 1 and f"vhost '{vhost}' does not exist and cannot be created: connection refused" in errors and "rabbitmq-plugins enable rabbitmq_management" in errors
    managed_broker.ctl("add_vhost", vhost)
    managed_broker.ctl("set_permissions", "-p", vhost, "nuropb", ".*", ".*", ".*")
    code, said, _ = configure(url, "--dry-run", management=nobody)
    assert code == 3 and "missing queue" in said
    code, said, _ = configure(url, management=nobody)
    assert code == 0 and said.endswith("made 7\n"), said
    code, said, _ = configure(url, management=nobody)
    assert code == 0 and words_of(said) == {"there", "bound"} and said.endswith("everything exists\n"), said
    code, said, _ = configure(url, "--dry-run", management=nobody)
    assert code == 3 and words_of(said) == {"there", "unknown"} and "the management API did not answer" in said, said


@pytest.fixture(scope="module")
def users(managed_broker):
    """A user without permissions, and one that may read the management API but create nothing."""
    for name, tags in (("stranger", []), ("watcher", ["management"])):
        managed_broker.ctl("add_user", name, "s3cret-of-" + name)
        managed_broker.ctl("set_user_tags", name, *tags)


def as_user(url, name, password=None):
    return with_parts(url, user=name, password=password or "s3cret-of-" + name)


@pytest.mark.parametrize("name, told", [
    ("stranger", "no permission.*Not management user.*administrator"),
    ("watcher", "no permission.*Not administrator user.*administrator"),
])
def test_a_user_who_may_not_make_a_vhost(managed_broker, url, users, name, told):
    code, _, errors = configure(as_user(url, name), management=as_user(managed_broker.management_url, name))
    assert code == 1 and re.search(told, errors), errors


def test_a_user_without_permissions_on_the_vhost(managed_broker, url, vhost, users):
    managed_broker.ctl("add_vhost", vhost)
    code, _, errors = configure(as_user(url, "stranger"), management=managed_broker.management_url)
    assert code == 1 and "no permission: " in errors and "rabbitmqctl set_permissions -p" in errors, errors
    managed_broker.ctl("set_permissions", "-p", vhost, "stranger", "^$", ".*", ".*")
    code, _, errors = configure(as_user(url, "stranger"), management=managed_broker.management_url)
    assert code == 1 and "403 ACCESS_REFUSED" in errors and "configure, write and read" in errors, errors


def test_wrong_passwords(managed_broker, url):
    code, _, errors = configure(with_parts(url, password="not-it"), management=managed_broker.management_url)
    assert code == 1 and "user or password refused" in errors, errors
    code, _, errors = configure(url, management=with_parts(managed_broker.management_url, password="not-it"))
    assert code == 1 and "user or password refused by the management" in errors, errors


def test_the_management_url_wins_over_the_config_and_may_lack_a_user(managed_broker, url):
    from urllib.parse import urlsplit
    port = urlsplit(managed_broker.management_url).port
    code, said, errors = configure(url, "--management-url", f"http://127.0.0.1:{port}", management="http://127.0.0.1:1")
    assert code == 0 and said.endswith("made 8\n"), said + errors


@pytest.mark.parametrize("words, told", [
    (["--no-such-option"], "no-such-option"),
    (["--management-url", "ftp://ann:s3cret@h"], "neither http:// nor https://"),
    (["--set", "listen.port"], "has no '='"),
    (["--set", "amqp.no_such_key=1"], "unknown key"),
    (["--config", "/no/such/file"], "can't be read"),
])
def test_mistakes_of_the_command(url, words, told):
    code, said, errors = configure(url, *words)
    assert code == 2 and told in said + errors and "s3cret" not in said + errors, said + errors


def test_a_config_of_the_gateway_will_do(managed_broker, url, folder):
    file = folder / "gateway.toml"
    file.write_text(toml({"gateway": {"service": "from-the-file"}, "amqp": {"urls": [url], "management_url": managed_broker.management_url}}))
    done = subprocess.run([binary("nuropb-ctl"), "--config", file, "mesh", "configure"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "queue nuropb-from-the-file-sq" in done.stdout, done.stdout + done.stderr
