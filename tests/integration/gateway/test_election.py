"""Gateways of one name and a real etcd: one leads, the others follow; deaths, outages, and what stays correct meanwhile."""

import re
import time
import uuid

import pytest

from support.broker import with_parts
from support.certificates import Certificates
from support.consumer import Consumer
from support.etcd import Etcd
from support.services import unique
from support.waiting import eventually, wait_until

LEASE = 3  # seconds


def state(gateway):
    """The container's state, as its log says it."""
    found = re.findall(r"container ([a-z-]+) from=", gateway.meshd.log())
    return found[-1] if found else "none yet"


def states(gateways):
    return [state(each) for each in gateways]


def leader_of(gateways):
    leading = [each for each in gateways if each.meshd.running() and state(each) == "running-leader"]
    assert len(leading) <= 1, f"{len(leading)} leaders"
    return leading[0] if leading else None


def one_leads_and_one_follows(members):
    return sorted(states(members)) == ["running-follower", "running-leader"]


def connected(gateway):
    return "broker ready" in gateway.meshd.log()


def instance_of(gateway):
    return re.search(r"instance=(\w+)", gateway.meshd.log())[1]


def settings(etcd, lease=60, **amqp):
    """A short lease is only for tests that wait for its expiry: a process that gets no CPU for that long loses it."""
    return {"etcd": {"urls": [etcd.url], "lease_s": lease}, "amqp": amqp}


@pytest.fixture
def team(gateways, etcd):
    """team(3): that many gateways of one name, of which one leads and the others follow."""
    def start(count, edges=0, lease=60, **options):
        name = unique("team")
        members = [gateways(name=name, edges=edges, settings=settings(etcd, lease), wait_ready=edges > 0, **options) for _ in range(count)]
        wait_until(lambda: sorted(states(members)) == ["running-follower"] * (count - 1) + ["running-leader"], lambda: f"one leads: {states(members)}")
        return members
    return start


def bindings(broker, vhost):
    return {(each["source"], each["destination"], each["routing_key"]) for each in broker.ask(f"bindings/{vhost}")}


def test_one_leads_and_the_key_says_who(team, etcd):
    members = team(3)
    leader = leader_of(members)
    assert etcd.get(f"/nuropb/{leader.name}/leader") == instance_of(leader)
    assert etcd.get(f"/nuropb/{leader.name}/rmq-config-ok") == "True"
    for member in members:
        wait_until(lambda: connected(member), "all consume")


def test_a_killed_leader_is_followed_within_two_leases(team, etcd):
    lease = 2 * LEASE  # a busy machine's own delays are a small part of two of them
    members = team(3, lease=lease)
    for _ in range(2):
        leader = leader_of(members)
        killed_at = time.monotonic()
        leader.meshd.kill()
        members.remove(leader)
        wait_until(lambda: leader_of(members), lambda: f"another leads: {states(members)}")
        took = time.monotonic() - killed_at
        assert took < 2 * lease, f"{took:.1f} s"
        assert etcd.get(f"/nuropb/{leader.name}/leader") == instance_of(leader_of(members))
        wait_until(lambda: state(leader_of(members)) == "running-leader", "it has configured the mesh")


def test_a_killed_leader_comes_back_as_a_follower(team):
    members = team(2, lease=LEASE)
    leader = leader_of(members)
    leader.meshd.kill()
    leader.start_meshd()  # its key and lease are still at etcd: those of its former life
    wait_until(lambda: state(leader) == "running-follower" and connected(leader), lambda: f"it serves again: {states(members)}")
    wait_until(lambda: one_leads_and_one_follows(members), lambda: f"one leads: {states(members)}")


def test_a_leader_that_stops_hands_over_at_once(team):
    members = team(2, lease=600)
    leader = leader_of(members)
    assert leader.meshd.stop() == 0
    members.remove(leader)
    wait_until(lambda: leader_of(members), lambda: f"the other leads long before a lease ends: {states(members)}")


@pytest.mark.limit(120)
async def test_the_mesh_stays_right_when_leaders_die(managed_broker, gateways, etcd, demo_on):
    vhost = f"mesh-{uuid.uuid4().hex[:8]}"
    url = with_parts(managed_broker.url, vhost=vhost)
    name = unique("team")
    members = [
        gateways(url=url, name=name, edges=1, settings=settings(etcd, 5, management_url=managed_broker.management_url), wait_ready=False) for _ in range(3)
    ]
    for member in members:
        member.until_ready()
    await eventually(lambda: leader_of(members), lambda: f"one leads: {states(members)}")
    made = [line for each in members for line in re.findall(r'created on the broker what="([^"]+)"', each.meshd.log())]
    assert f"vhost {vhost}" in made and len(made) == len(set(made)) == 8, made
    wanted = {
        ("nuropb-dl-exchange", f"nuropb-{name}-dl", ""),
        ("nuropb-rpc-exchange", f"nuropb-{name}-sq", name),
    }
    assert wanted <= bindings(managed_broker, vhost)

    service = demo_on(url)
    while len(members) > 1:
        leader = leader_of(members)
        leader.meshd.kill()
        members.remove(leader)
        await eventually(lambda: leader_of(members), lambda: f"another leads: {states(members)}")
        assert wanted <= bindings(managed_broker, vhost)
        for member in members:
            async with await Consumer.open(member.url) as ann:
                assert await ann.result(service, "add", {"a": 1, "b": 2}) == 3


@pytest.fixture
def demo_on(folder):
    """Starts a demo service on a broker: demo_on(url) is its name."""
    from contextlib import ExitStack
    from support.services import demo_service
    with ExitStack() as running:
        yield lambda url: running.enter_context(demo_service(url, folder)).service


def test_followers_wait_for_the_leaders_word(gateways, etcd):
    name = unique("team")
    lease = etcd.grant(60)
    etcd.put(f"/nuropb/{name}/leader", "another", lease)
    member = gateways(name=name, edges=0, settings=settings(etcd), wait_ready=False)
    member.meshd.wait_for_log("container startup-leader-decided .*leader is another")
    etcd.put(f"/nuropb/{name}/rmq-config-ok", "False")
    etcd.put(f"/nuropb/{name}/else", "True")
    edge = member.add_edge()
    wait_until(edge.attached, "edges are taken meanwhile")
    assert edge.health()[1]["broker"] == "away" and not connected(member), member.meshd.tail()
    assert state(member) == "startup-leader-decided"
    etcd.put(f"/nuropb/{name}/rmq-config-ok", "True")
    wait_until(edge.ready, lambda: f"it consumes:\n{member.meshd.tail()}")
    wait_until(lambda: state(member) == "running-follower", lambda: state(member))
    etcd.revoke(lease)
    member.meshd.wait_for_log("container running-leader from=taking-leadership")


def test_etcd_away_at_the_start(gateways, etcd):
    etcd.stop()
    member = gateways(edges=0, settings=settings(etcd), wait_ready=False)
    member.meshd.wait_for_log("WARNING meshd no lease from etcd, trying again reason=.*connection refused")
    assert state(member) == "startup-leader-election" and not connected(member)
    etcd.start()
    member.meshd.wait_for_log("etcd is available again")
    wait_until(lambda: state(member) == "running-leader" and connected(member), lambda: f"it leads:\n{member.meshd.tail()}")
    assert member.meshd.log().count("no lease from etcd") == 1, "told once"


def test_etcd_restarted_within_the_lease_changes_nothing(team, etcd):
    members = team(2, lease=60)
    before = [each.meshd.log().count("container ") for each in members]
    etcd.kill()
    for member in members:
        member.meshd.wait_for_log("the watch on etcd ended, trying again")
    etcd.start()
    for member in members:
        member.meshd.wait_for_log("etcd is available again")
    assert [each.meshd.log().count("container ") for each in members] == before, "nobody has changed its state"


async def test_etcd_away_for_longer_than_the_lease(team, etcd, demo):
    members = team(2, edges=1, lease=LEASE)
    leader = leader_of(members)
    etcd.stop()
    await eventually(lambda: state(leader) == "running-follower", lambda: f"by its own clock it leads no more:\n{leader.meshd.tail()}")
    for member in members:
        async with await Consumer.open(member.url) as ann:
            assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3, "who serves goes on serving"
    etcd.start()
    await eventually(lambda: one_leads_and_one_follows(members), lambda: f"one leads again: {states(members)}")


def test_the_key_deleted_by_hand(team, etcd):
    members = team(2)
    key = f"/nuropb/{members[0].name}/leader"
    etcd.delete(key)
    wait_until(lambda: etcd.get(key), "a member has put it again")

    def that_one_leads():
        # For a moment both may say so: one that has taken the key, and one that has not seen yet that it lost it.
        said = states(members)
        return sorted(said) == ["running-follower", "running-leader"] and instance_of(members[said.index("running-leader")]) == etcd.get(key)
    wait_until(that_one_leads, lambda: f"that one leads: {states(members)}")


def test_the_broker_away_while_leading_begins(gateways, etcd, private_broker):
    private_broker.stop()
    member = gateways(url=private_broker.url, edges=0, settings=settings(etcd), wait_ready=False)
    member.meshd.wait_for_log("the mesh can't be configured, trying again reason=.*connection refused")
    assert etcd.get(f"/nuropb/{member.name}/leader") == instance_of(member)
    assert etcd.get(f"/nuropb/{member.name}/rmq-config-ok") is None
    private_broker.start()
    wait_until(lambda: state(member) == "running-leader" and connected(member), lambda: f"it leads:\n{member.meshd.tail()}")
    assert etcd.get(f"/nuropb/{member.name}/rmq-config-ok") == "True"


@pytest.fixture
def guarded_etcd(folder):
    """With TLS and authentication."""
    member = Etcd(folder / "guarded", Certificates(folder / "certificates"))
    member.start()
    member.require_user("gateway", "s3cret-of-etcd", "/nuropb/")
    yield member
    member.stop()


def guarded(etcd, folder, **changes):
    (folder / "password").write_text("s3cret-of-etcd\n")
    section = {"urls": [etcd.url], "lease_s": 60, "ca_file": str(etcd.certificates.ca), "user": "gateway", "password_file": str(folder / "password"), **changes}
    return {"etcd": section}


def test_tls_and_a_user(gateways, guarded_etcd, folder):
    member = gateways(edges=0, settings=guarded(guarded_etcd, folder), wait_ready=False)
    wait_until(lambda: state(member) == "running-leader", lambda: f"it leads:\n{member.meshd.tail()}")
    assert guarded_etcd.get(f"/nuropb/{member.name}/leader") == instance_of(member)
    assert "s3cret-of-etcd" not in "".join(member.logs().values())


def test_what_etcd_refuses_is_told(gateways, guarded_etcd, folder):
    (folder / "wrong").write_text("not-it\n")
    for changes, told in (
        ({"ca_file": str(guarded_etcd.certificates.stranger)}, "certificate is not trusted"),
        ({"password_file": str(folder / "wrong")}, "etcd refuses user 'gateway'.*authentication failed"),
        ({"user": "", "password_file": ""}, "this cluster requires authentication"),
        ({"prefix": "/elsewhere"}, "permission denied.*user 'gateway' needs readwrite on /elsewhere"),
    ):
        member = gateways(edges=0, settings=guarded(guarded_etcd, folder, **changes), wait_ready=False)
        line = member.meshd.wait_for_log(f"WARNING meshd no .* from etcd.*{told}|WARNING meshd no election at etcd.*{told}")
        assert "not-it" not in line[0]
        assert state(member) == "startup-leader-election"
        member.meshd.stop()
