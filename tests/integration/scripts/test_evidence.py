"""scripts/lib/evidence.py: the evidence page reports the results of scripts/test's runs, and nothing else."""

import importlib.util

import pytest

from support.paths import ROOT

spec = importlib.util.spec_from_file_location("evidence", ROOT / "scripts" / "lib" / "evidence.py")
evidence = importlib.util.module_from_spec(spec)
spec.loader.exec_module(evidence)

TABLE = """\
build release                              passed                                        12 s
mesh against RabbitMQ                      passed   59 passed                           112 s
gateway against RabbitMQ                   FAILED   1 failed, 586 passed                575 s
interop with nuropb and nuropb-gw          SKIPPED  PyPI can't be reached
the JavaScript client, examples            passed   68 passed, 1 skipped                 87 s
package, units, proxies, several hosts     passed   23 passed                           346 s
Debian 13: unit                            passed   933 passed                           17 s
RabbitMQ 4.3: gateway                      passed   587 passed                          512 s
"""


def recorded(records=(), table=TABLE, rabbitmq="3.10.8", denied=False, date="2026-11-30", commit="0123456"):
    records = list(records)
    for name, counts in evidence.results(table):
        records = evidence.recorded(records, name, counts, "Debian 12", rabbitmq, denied, date, commit, {"Debian 13": "4.0.5", "4.3": "4.3.6"})
    return records


def test_what_passed_and_was_counted_is_taken():
    assert dict(evidence.results(TABLE)) == {
        "mesh against RabbitMQ": "59 passed", "the JavaScript client, examples": "68 passed, 1 skipped", "package, units, proxies, several hosts": "23 passed",
        "Debian 13: unit": "933 passed", "RabbitMQ 4.3: gateway": "587 passed"}


def test_suites_that_ran_elsewhere_are_of_that_place():
    places = {(one["system"], one["rabbitmq"], one["suite"]) for one in recorded()}
    assert ("Debian 13", "4.0.5", "unit") in places and ("Debian 12", "4.3.6", "gateway against RabbitMQ") in places
    assert ("Debian 12", "3.10.8", "mesh against RabbitMQ") in places


def test_a_newer_run_replaces_the_older_one_of_the_same_place_only():
    both = recorded(recorded(), "mesh against RabbitMQ                      passed   60 passed                           112 s\n", date="2026-12-01", commit="89abcde")
    assert [(one["counts"], one["date"]) for one in both if one["suite"] == "mesh against RabbitMQ"] == [("60 passed", "2026-12-01")]
    assert len(both) == len(recorded())
    denied = recorded(both, "mesh against RabbitMQ                      passed   61 passed                           112 s\n", denied=True)
    assert len(denied) == len(both) + 1


def test_a_place_whose_broker_is_not_known_is_not_guessed():
    with pytest.raises(KeyError):
        evidence.recorded([], "Debian 14: unit", "1 passed", "Debian 12", "3.10.8", False, "2026-11-30", "0123456", {})


def test_versions_are_in_the_order_of_their_numbers():
    records = recorded(rabbitmq="3.9.27") + recorded(rabbitmq="3.10.8")
    head = evidence.page(records).splitlines()[-1 - len({one["suite"] for one in records}) - 1]
    assert head == "| suite | Debian 12, RabbitMQ 3.9.27 | Debian 12, RabbitMQ 3.10.8 | Debian 12, RabbitMQ 4.3.6 | Debian 13, RabbitMQ 4.0.5 |"


@pytest.mark.parametrize("package, version", [("4.0.5-6+deb13u2", "4.0.5"), ("3.10.8-1.1+deb12u1", "3.10.8"), ("1:4.3.6-2", "4.3.6"), ("4.3.6", "4.3.6")])
def test_of_a_packages_version_the_authors_part_is_shown(package, version):
    assert evidence.upstream(package) == version


def test_the_page_in_the_tree_is_made_of_the_records_in_the_tree():
    records = evidence.read()
    assert evidence.PAGE.exists() == bool(records) and (not records or evidence.PAGE.read_text() == evidence.page(records))
    for one in records:
        assert set(one) == {"system", "rabbitmq", "denied", "suite", "counts", "date", "commit"} and "failed" not in one["counts"]
