"""What is special to the `postgres` state home, against a real server; what all homes keep is in the contract suite."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from psycopg import sql

from octoplan.clock import SystemClock
from octoplan.diagnostics import InvalidInput, StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state import postgres
from octoplan.state.home import Home
from octoplan.state.journal import Entry, Kind
from octoplan.state.postgres import PostgresStore
from octoplan.state.store import AlreadyWritten, Change, Holder, LeaseHeld, LeaseLost, LedgerRows, StopNotice
from octoplan.values.secret import Secret
from tests.clocks import ManualClock
from tests.postgres_server import server

AT = datetime(2027, 3, 1, 9, tzinfo=UTC)
SCOPE = "shop/production"
ROWS = [bytes([n]) * 16 for n in range(1, 4)]
POLLS = 2000
"""Questions to the server until something must have happened; each takes a moment."""

Opener = Callable[..., PostgresStore]


def holder(run: str = "r_1") -> Holder:
    return Holder(run, "dana", "build-7", 4711, AT)


def entry(kind: Kind, batch: str | None = None, run: str = "r_1") -> Entry:
    return Entry(kind, "sale", batch, AT, run, {"note": "é"})


OPENED = Change(entry(Kind.OPENED), salt=b"s" * 16)
INTENDED = Change(entry(Kind.INTENDED, "b1_x"), add=LedgerRows("sale", "b1_x", ROWS))


@pytest.fixture
def schema() -> str:
    """The name of a schema that is not there yet."""
    return f"unit_{uuid4().hex}"


@pytest.fixture
def opened(schema: str) -> Iterator[Opener]:
    """Opens the schema as one more process would."""
    with contextlib.ExitStack() as stack:

        def open_store(scope: str = SCOPE, address: str | None = None) -> PostgresStore:
            store = PostgresStore(Secret(address or server().address), scope, ManualClock(), schema=schema)
            stack.callback(store.close)
            return store

        yield open_store


def ask(query: str, *values: object) -> list[tuple[object, ...]]:
    """Beside the store, as an administrator."""
    with server().connect() as connection:
        return connection.execute(query.encode(), values).fetchall()


def do(*statements: str) -> None:
    with server().connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def wait_for(query: str, *values: object) -> None:
    """Until the query finds a row."""
    with server().connect() as connection:
        for _ in range(POLLS):
            if connection.execute(query.encode(), values).fetchone():
                return
    raise AssertionError(f"in vain: {query}")


def cut_connections() -> None:
    """All of octoplan's, as a network or a restart would."""
    backends = "FROM pg_stat_activity WHERE application_name = 'octoplan'"
    ask(f"SELECT pg_terminate_backend(pid) {backends}")
    wait_for(f"SELECT 1 WHERE NOT EXISTS (SELECT {backends})")


# --- the lease -------------------------------------------------------------------------------------------------------

OTHER = """
import sys
from datetime import UTC, datetime
from octoplan.clock import SystemClock
from octoplan.state.journal import Entry, Kind
from octoplan.state.postgres import PostgresStore
from octoplan.state.store import Change, Holder
from octoplan.values.secret import Secret
address, schema = (sys.stdin.readline().rstrip("\\n") for _ in range(2))
at = datetime(2027, 3, 1, 9, tzinfo=UTC)
store = PostgresStore(Secret(address), "shop/production", SystemClock(), schema=schema)
held = store.acquire(Holder("r_other", "sam", "build-8", 1, at))
print(held.fence, flush=True)
sys.stdin.readline()
try:
    store.commit([Change(Entry(Kind.OPENED, "sale", None, at, "r_other", {}), salt=b"s" * 16)], held)
    print("written", flush=True)
except Exception as error:
    print(type(error).__name__, flush=True)
store.close()
"""


@contextlib.contextmanager
def other_process(schema: str, script: str = OTHER) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with process:
        try:
            assert process.stdin is not None
            process.stdin.write(f"{server().address}\n{schema}\n")
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def waiting_home(store: PostgresStore) -> Home:
    """One that really waits: the server notices the end of a connection a moment later."""
    return Home(store, DigestKey(bytes(range(32))), SystemClock())


def test_a_killed_holder_holds_nothing_and_its_number_is_not_used_again(opened: Opener, schema: str) -> None:
    """While it lives it is named; after kill -9 nobody has to break anything."""
    with other_process(schema) as process:
        fence = int(line_of(process))
        with pytest.raises(LeaseHeld, match="r_other of sam on build-8"):
            opened().acquire(holder())
        current = opened().holder()
        assert current is not None
        assert (current.run, current.fence) == ("r_other", fence)
        assert current.heartbeat is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with waiting_home(opened()).session(holder(), timeout_s=10) as session:
        held = session.holder()
        assert held.fence > fence
        assert held.took_over is not None
        assert (held.took_over.run, held.took_over.host) == ("r_other", "build-8")


def test_a_holder_that_sleeps_is_not_robbed(opened: Opener, schema: str) -> None:
    """A paused process still has its connection, and with it the lease; only a person takes it away."""
    with other_process(schema) as process:
        line_of(process)
        os.kill(process.pid, signal.SIGSTOP)
        store = opened()
        with pytest.raises(LeaseHeld):
            store.acquire(holder())
        assert store.unlock("r_other")
        assert store.holder() is None
        store.release(store.acquire(holder()))


def test_a_paused_holder_that_was_cut_off_and_replaced_can_write_nothing(opened: Opener, schema: str) -> None:
    """Its connections are gone, so the lease is free; when it wakes up its fencing number is too low."""
    with other_process(schema) as process:
        fence = int(line_of(process))
        os.kill(process.pid, signal.SIGSTOP)
        cut_connections()
        opened("shop/staging").acquire(holder())
        store = opened()
        assert store.holder() is None
        held = store.acquire(holder())
        assert held.fence > fence
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdin is not None
        process.stdin.write("go on\n")
        assert line_of(process) == "LeaseLost"
        assert store.read_entries() == []
        store.commit([OPENED], held)


def test_a_holder_whose_connections_are_cut_goes_on_if_nobody_took_over(opened: Opener) -> None:
    """A restart of the server does not end a run: the fencing number decides, not the connection."""
    store = opened()
    held = store.acquire(holder())
    store.commit([OPENED], held)
    cut_connections()
    assert store.stop_notice() is None
    cut_connections()
    store.commit([INTENDED], held)
    assert [each.kind for each in opened().read_entries()] == [Kind.OPENED, Kind.INTENDED]


def test_each_write_is_a_sign_of_life(opened: Opener) -> None:
    """By the server's clock, so that the age of a lease can be told."""
    store = opened()
    held = store.acquire(holder())
    store.commit([], held)
    current = opened().holder()
    assert current is not None
    assert current.heartbeat is not None
    assert held.heartbeat is not None
    assert current.heartbeat > held.heartbeat


def test_a_lease_that_was_given_back_names_nobody(opened: Opener, schema: str) -> None:
    """Free at once, without waiting until the server has noticed the end of a connection."""
    store = opened()
    store.release(store.acquire(holder()))
    assert ask(f"SELECT run, owner, host, pid, url, since, latch FROM {schema}.lease") == [(None,) * 7]


COMPETE = """
import sys
import psycopg
from datetime import UTC, datetime
from octoplan.clock import SystemClock
from octoplan.state.postgres import PostgresStore
from octoplan.state.store import Holder, LeaseHeld
from octoplan.values.secret import Secret
address, schema = (sys.stdin.readline().rstrip("\\n") for _ in range(2))
store = PostgresStore(Secret(address), "shop/production", SystemClock(), schema=schema)
with psycopg.connect(address, autocommit=True) as judge:
    turns = 0
    while turns < 4:
        try:
            held = store.acquire(Holder("r", "sam", "build", 1, datetime.now(UTC)))
        except LeaseHeld:
            continue
        judge.execute(f"INSERT INTO {schema}.inside VALUES (1)")
        judge.execute(f"INSERT INTO {schema}.fences (fence) VALUES ({held.fence})")
        judge.execute(f"DELETE FROM {schema}.inside")
        store.release(held)
        turns += 1
store.close()
print("done")
"""


def test_of_eight_that_want_the_lease_one_has_it(opened: Opener, schema: str) -> None:
    """Never two at once, each gets its turns, and in the order of their turns the fencing numbers only rise."""
    opened().put_stop_notice(None)
    do(
        f"CREATE TABLE {schema}.inside (one int PRIMARY KEY)",
        f"CREATE TABLE {schema}.fences (turn int GENERATED ALWAYS AS IDENTITY, fence bigint)",
    )
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(other_process(schema, COMPETE)) for _ in range(8)]
        assert [line_of(process) for process in processes] == ["done"] * 8
    fences = [fence for (fence,) in ask(f"SELECT fence FROM {schema}.fences ORDER BY turn")]
    assert len(set(fences)) == 32
    assert fences == sorted(fences)  # type: ignore[type-var]


# --- a connection that breaks while it commits -----------------------------------------------------------------------


class Proxy:
    """Stands between the store and the server. Once armed, the next COMMIT meets its fault; then all is well again."""

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.fault: Callable[[socket.socket, socket.socket, bytes], None] | None = None
        self.met = 0
        self._start(self._accept)

    @property
    def address(self) -> str:
        return server().address_at("127.0.0.1", self._door.getsockname()[1])

    def answer_lost(self, client: socket.socket, upstream: socket.socket, data: bytes) -> None:
        """The server commits, and nobody hears of it."""
        client.shutdown(socket.SHUT_RDWR)
        upstream.sendall(data)

    def request_lost(self, client: socket.socket, upstream: socket.socket, data: bytes) -> None:
        """The server never gets it, and rolls back."""
        upstream.shutdown(socket.SHUT_RDWR)
        client.shutdown(socket.SHUT_RDWR)

    def request_late(self, client: socket.socket, upstream: socket.socket, data: bytes) -> None:
        """The server gets it while the store, connected anew, is already looking for what became of it."""
        client.shutdown(socket.SHUT_RDWR)
        wait_for("SELECT 1 FROM pg_locks WHERE NOT granted")
        upstream.sendall(data)

    def shut(self) -> None:
        """No new connections; those that are there stay."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut()
        for thread in self._threads:
            thread.join()
        self._door.close()

    def _start(self, work: Callable[..., None], *values: object) -> None:
        thread = threading.Thread(target=work, args=values)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(server().socket)
                self._start(self._serve, client, upstream)

    def _serve(self, client: socket.socket, upstream: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(upstream, client))
        back.start()
        self._pump(client, upstream)
        back.join()
        client.close()
        upstream.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.fault is not None and data.endswith(b"COMMIT\0"):
                    fault, self.fault = self.fault, None
                    self.met += 1
                    fault(source, target, data)
                else:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(opened: Opener) -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


@pytest.mark.parametrize("fault", ["answer_lost", "request_lost", "request_late"])
def test_a_commit_without_an_answer_is_written_once(fault: str, opened: Opener, proxy: Proxy) -> None:
    """Whatever became of it, the store finds out, and afterwards everything is there exactly once."""
    with contextlib.closing(opened(address=proxy.address)) as store:
        held = store.acquire(holder())
        store.commit([OPENED], held)
        proxy.fault = getattr(proxy, fault)
        store.commit([INTENDED], held)
        assert proxy.met == 1
        assert [each.kind for each in opened().read_entries()] == [Kind.OPENED, Kind.INTENDED]
        assert opened().find("sale", ROWS) == dict.fromkeys(ROWS, "b1_x")
        store.release(held)


def test_a_commit_whose_answer_and_lease_are_lost_is_answered_truthfully(opened: Opener, proxy: Proxy) -> None:
    """It was written while the lease was held, so it counts; the next one is refused."""
    with contextlib.closing(opened(address=proxy.address)) as store:
        held = store.acquire(holder())
        store.commit([OPENED], held)

        def commit_and_lose(client: socket.socket, upstream: socket.socket, data: bytes) -> None:
            upstream.sendall(data)
            wait_for(f"SELECT 1 FROM {store._schema}.journal WHERE kind = 'intended'")
            assert opened().unlock("r_1")
            client.shutdown(socket.SHUT_RDWR)

        proxy.fault = commit_and_lose
        store.commit([INTENDED], held)
        with pytest.raises(LeaseLost):
            store.commit([Change(entry(Kind.SENT, "b1_x"))], held)


def test_a_server_that_stays_away_is_exit_code_7(opened: Opener, proxy: Proxy) -> None:
    """After a bounded number of tries; the message names place and reason, and no password."""
    with contextlib.closing(opened(address=proxy.address)) as store:
        held = store.acquire(holder())
        proxy.shut()
        proxy.fault = proxy.answer_lost
        with pytest.raises(StateUnavailable, match=r"PostgreSQL at 127\.0\.0\.1.* cannot be used") as caught:
            store.commit([OPENED], held)
        store.release(held)
        assert server().password not in str(caught.value)


# --- durable ---------------------------------------------------------------------------------------------------------


def test_a_commit_does_not_hang_on_the_defaults_of_the_database(opened: Opener, schema: str) -> None:
    """Inside the transaction `synchronous_commit` is on and the isolation the one that the protocol is built on."""
    do(
        "ALTER DATABASE postgres SET synchronous_commit = off",
        "ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'",
    )
    try:
        store = opened()
        held = store.acquire(holder())
        do(
            f"CREATE TABLE {schema}.seen (value text)",
            f"CREATE FUNCTION {schema}.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO {schema}.seen "
            "VALUES (current_setting('synchronous_commit')), (current_setting('transaction_isolation')); "
            "RETURN NEW; END $$",
            f"CREATE TRIGGER see BEFORE INSERT ON {schema}.journal FOR EACH ROW EXECUTE FUNCTION {schema}.see()",
        )
        # As behind a pooler that hands each transaction to another session.
        assert store._connection is not None
        store._connection.execute("SET synchronous_commit = off")
        store.commit([OPENED], held)
    finally:
        do("ALTER DATABASE postgres RESET ALL")
    assert ask(f"SELECT value FROM {schema}.seen") == [("on",), ("read committed",)]


@contextlib.contextmanager
def server_setting(name: str, value: str, default: str) -> Iterator[None]:
    """A setting of the whole server, which is this test process's own."""
    shown = "SELECT 1 FROM pg_settings WHERE name = %s AND setting = %s"
    do(f"ALTER SYSTEM SET {name} = {value}", "SELECT pg_reload_conf()")
    try:
        _each_connection(shown, name, value)
        yield
    finally:
        do("SET synchronous_commit = local", f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
        _each_connection(shown, name, default)


def _each_connection(query: str, *values: object) -> None:
    """Until a new connection sees it: the server reads its settings a moment after it was told to."""
    for _ in range(POLLS):
        if ask(query, *values):
            return
    raise AssertionError(f"in vain: {query}")


def test_a_commit_that_is_not_on_its_standby_is_not_believed(opened: Opener) -> None:
    """The wait for a synchronous standby was cut short: the server says COMMIT and warns; the store says no."""
    store = opened()
    held = store.acquire(holder())
    store.commit([OPENED], held)
    caught: list[BaseException] = []

    def write() -> None:
        try:
            store.commit([INTENDED], held)
        except StateUnavailable as error:
            caught.append(error)

    with server_setting("synchronous_standby_names", "absent", ""):
        thread = threading.Thread(target=write)
        thread.start()
        waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_for(f"SELECT 1 {waits}")
        ask(f"SELECT pg_cancel_backend(pid) {waits}")
        thread.join()
    assert len(caught) == 1
    assert "not sure that the last entries are durable" in str(caught[0])


def test_a_server_without_fsync_gives_out_no_lease(opened: Opener) -> None:
    """A power cut would make it forget what was sent."""
    with server_setting("fsync", "off", "on"), pytest.raises(StateUnavailable, match="fsync = off"):
        opened().acquire(holder())


# --- the schema ------------------------------------------------------------------------------------------------------


def test_a_plan_leaves_no_trace(opened: Opener, schema: str) -> None:
    """Reading an environment that was never applied creates nothing."""
    store = opened()
    assert (store.read_entries(), store.read_salts(), store.find("sale", ROWS)) == ([], {}, {})
    assert (store.holder(), store.stop_notice(), store.unlock("r_1")) == (None, None, False)
    assert ask("SELECT to_regnamespace(%s)", schema) == [(None,)]
    opened().put_stop_notice(None)
    assert store.read_entries() == []


def test_two_that_come_first_at_once_make_one_schema(opened: Opener, schema: str) -> None:
    """The migrations are applied once, by whoever gets there first; the other waits and goes on."""
    lock = f"octoplan migrations of {schema}"
    notice = StopNotice("wrong price", "sam", AT)
    with server().connect() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (lock,))
        threads = [threading.Thread(target=opened().put_stop_notice, args=(notice,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_for("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted HAVING count(*) = 2")
    for thread in threads:
        thread.join()
    assert ask(f"SELECT version FROM {schema}.version") == [(1,)]
    assert opened().stop_notice() == notice


def test_a_newer_format_is_refused(opened: Opener, schema: str) -> None:
    """By reading and by writing; it is left as it is."""
    opened().put_stop_notice(None)
    do(f"INSERT INTO {schema}.version (version) VALUES (2)")
    for use in (opened().read_entries, lambda: opened().acquire(holder())):
        with pytest.raises(StateUnavailable, match="format 2, this octoplan knows 1"):
            use()


def test_environments_that_share_a_schema_do_not_see_each_other(opened: Opener, schema: str) -> None:
    """The same campaign and the same people in two scopes: lease, journal, ledger, salts and notice are apart."""
    one, two = opened("shop/production"), opened("shop/staging")
    held = [store.acquire(holder()) for store in (one, two)]
    one.commit([OPENED, INTENDED], held[0])
    one.put_stop_notice(StopNotice("wrong price", "sam", AT))
    assert (two.read_entries(), two.read_salts(), two.find("sale", ROWS), two.stop_notice()) == ([], {}, {}, None)
    two.commit([OPENED, INTENDED], held[1])
    one.commit([Change(entry(Kind.REFUSED, "b1_x"), free=True)], held[0])
    assert one.find("sale", ROWS) == {}
    assert two.find("sale", ROWS) == dict.fromkeys(ROWS, "b1_x")
    two.forget(entry(Kind.FORGOTTEN), held[1])
    assert set(one.read_salts()) == {"sale"}
    assert ask(f"SELECT count(*) FROM {schema}.ledger") == [(0,)]


def test_a_role_with_a_schema_of_its_own_is_enough(opened: Opener, schema: str) -> None:
    """It needs no right to create schemas; a role without rights is told so."""
    for role in ("owner", "stranger"):
        do(f"CREATE ROLE {schema}_{role} LOGIN PASSWORD 'pw'")
    do(f"CREATE SCHEMA {schema} AUTHORIZATION {schema}_owner")
    address = f"host={server().folder} password=pw dbname=postgres user={schema}"
    store = opened(address=f"{address}_owner")
    held = store.acquire(holder())
    store.commit([OPENED, INTENDED], held)
    with pytest.raises(StateUnavailable, match="permission denied"):
        opened(address=f"{address}_stranger").read_entries()


def test_nobody_is_added_to_a_campaign_without_a_ledger(opened: Opener) -> None:
    """Not before it was opened and not after it was forgotten: the store itself refuses it."""
    store = opened()
    held = store.acquire(holder())
    with pytest.raises(AlreadyWritten):
        store.commit([INTENDED], held)
    store.commit([OPENED], held)
    store.forget(entry(Kind.FORGOTTEN), held)
    with pytest.raises(AlreadyWritten):
        store.commit([INTENDED], held)
    assert [each.kind for each in store.read_entries()] == [Kind.OPENED, Kind.FORGOTTEN]


def test_a_standby_is_not_read(opened: Opener, schema: str) -> None:
    """It may lack what was written a moment ago: a server that takes no writes is not used at all."""
    role = f"{schema}_reader"
    do(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'", f"ALTER ROLE {role} SET default_transaction_read_only = on")
    store = opened(address=f"host={server().folder} user={role} password=pw dbname=postgres")
    with pytest.raises(StateUnavailable, match="read-only"):
        store.read_entries()


def test_ledger_lookups_and_freeing_use_indexes(opened: Opener, schema: str) -> None:
    """Also before the server has made statistics, so ten million rows stay fast."""
    store = opened()
    held = store.acquire(holder())
    store.commit([OPENED, INTENDED], held)
    do(
        f"INSERT INTO {schema}.ledger SELECT 1, decode(md5(n::text), 'hex'), n / 500 + 10 "
        "FROM generate_series(1, 30000) n"
    )
    values = {"scope": SCOPE, "campaign": "sale", "batch": "b1_x", "recipients": ROWS * 500}
    with server().connect() as connection:
        for query in (postgres._FIND, postgres._FREE):
            text = sql.SQL("EXPLAIN " + query).format(s=sql.Identifier(schema))
            steps = "\n".join(row[0] for row in connection.execute(text, values))
            assert "Seq Scan on ledger" not in steps
            assert "ledger" in steps


# --- nothing personal, nothing secret --------------------------------------------------------------------------------


def test_numbers_are_nowhere_in_the_tables(opened: Opener, schema: str) -> None:
    """All columns of all rows as text: keyed digests, counts and names of campaigns."""
    import pyarrow as pa

    from octoplan.state.home import Intent

    numbers = ["+33612345601", "+33612345602"]
    home = Home(opened(), DigestKey(bytes(range(32))), ManualClock())
    with home.session(holder()) as session:
        session.open_campaign("sale", {"type": "sms_premium"})
        session.intend(Intent("sale", "b1_x", "id1", 1, 2, 2, "0.10", None), pa.array(numbers, pa.string()))
        session.record(Kind.SENT, "sale", "b1_x", {"ticket": "sms_1"})
    tables = ask("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", schema)
    text = "\n".join(str(row) for (name,) in tables for row in ask(f"SELECT t::text FROM {schema}.{name} t"))
    assert "sms_1" in text
    for number in numbers:
        for spelling in (number[1:], number[3:], number[1:].encode().hex(), number[3:].encode().hex()):
            assert spelling not in text


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://octo:pa@hunter2@db.example.invalid/sms",
        "postgresql://octo:pa/hunter2@db.example.invalid/sms",
        "postgresql://octo:12/hunter2@db.example.invalid/sms",
        "postgresql://octo:%zzhunter2@db.example.invalid/sms",
        "host=db.example.invalid password=pa hunter2",
        "hunter2",
    ],
)
def test_an_address_that_is_none_is_not_shown(address: str) -> None:
    """Most have a password that was not escaped, which ends up in another part."""
    with pytest.raises(InvalidInput) as caught:
        PostgresStore(Secret(address), SCOPE, ManualClock())
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_where_it_is_says_neither_user_nor_password() -> None:
    """Host, port, database and schema."""
    address = "postgresql://octo:hunter2@db.example.invalid:6432/sms?sslmode=verify-full"
    store = PostgresStore(Secret(address), SCOPE, ManualClock(), schema="sms-state")
    assert store.place == "PostgreSQL at db.example.invalid, port 6432, database sms, schema sms-state"
    assert "hunter2" not in repr(vars(store)["_address"])


def test_a_wrong_password_is_not_shown(opened: Opener) -> None:
    """The server's own words are kept, the password is not."""
    with pytest.raises(StateUnavailable, match="password authentication failed") as caught:
        opened(address=f"host={server().folder} user=octo password=hunter2 dbname=postgres").read_entries()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_words_of_the_server_can_show_the_password(opened: Opener, schema: str) -> None:
    """Whatever it says: the password is starred out."""
    opened().put_stop_notice(None)
    do(
        f"CREATE FUNCTION {schema}.shout() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'the password is {server().password}'; END $$",
        f"CREATE TRIGGER shout BEFORE INSERT ON {schema}.stop_notice FOR EACH ROW EXECUTE FUNCTION {schema}.shout()",
    )
    with pytest.raises(StateUnavailable, match=r"the password is \*{8}$"):
        opened().put_stop_notice(StopNotice("wrong price", "sam", AT))


@pytest.mark.parametrize("schema_name", ["", "Octoplan", "pg_octo", 'a"b', "a.b", "x" * 64, "a b"])
def test_a_schema_that_cannot_be_is_refused(schema_name: str) -> None:
    """Before anything is connected."""
    with pytest.raises(InvalidInput, match="cannot be the name"):
        PostgresStore(Secret("host=db.example.invalid"), SCOPE, ManualClock(), schema=schema_name)


def test_a_schema_may_have_a_hyphen_and_begin_with_a_digit(schema: str) -> None:
    """It is always quoted."""
    store = PostgresStore(Secret(server().address), SCOPE, ManualClock(), schema=f"2-{schema[:40]}")
    store.put_stop_notice(None)
    assert store.read_entries() == []
    store.close()


def test_without_psycopg_it_says_what_to_install() -> None:
    """The driver is an extra; no other home needs it."""
    script = "import sys; sys.modules['psycopg'] = None; import octoplan.state.postgres"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "InvalidInput: the `postgres` state home needs the package psycopg" in done.stderr
