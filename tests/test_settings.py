"""Where settings come from, which weighs more, and what is said of a bad one."""

import stat
from pathlib import Path
from typing import Any

import pytest

from server.secret import sealing_key
from server.settings import BadSetting, Settings, bare_environment, load, unknown_variables


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file in the working directory, no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", *unknown_variables()):
        monkeypatch.delenv(name, raising=False)


def test_flags_weigh_more_than_environment_than_file_than_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("graphnexus.toml").write_text("port = 1\nmax_model_turns = 2\nlog_level = 'error'\n")
    monkeypatch.setenv("GRAPHNEXUS_PORT", "3")
    monkeypatch.setenv("GRAPHNEXUS_MAX_MODEL_TURNS", "4")
    settings = load({"port": "5", "strict": None})
    assert (settings.port, settings.max_model_turns, settings.log_level) == (5, 4, "error")
    assert (settings.host, settings.strict) == ("127.0.0.1", False)


def test_a_named_file_replaces_the_one_in_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("graphnexus.toml").write_text("port = 1")
    Path("other.toml").write_text("port = 2")
    Path("third.toml").write_text("port = 3")
    monkeypatch.setenv("GRAPHNEXUS_CONFIG", "other.toml")
    assert load({}).port == 2
    assert load({}, Path("third.toml")).port == 3


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHNEXUS_PORT", "")
    assert load({}).port == 8000


BAD_FLAGS = [
    ({"port": "x"}, "port: ", "'x' (--port)"),
    ({"port": "70000"}, "port: ", "'70000' (--port)"),
    ({"upstream": ["http://ok", "ok:80"]}, "upstream.1.url: ", "'ok:80' (--upstream)"),
    ({"shutdown_grace_s": "0"}, "shutdown_grace_s: ", "(--shutdown-grace-s)"),
    ({"log_level": "loud"}, "log_level: ", "'loud' (--log-level)"),
]


@pytest.mark.parametrize(("flags", "begins", "ends"), BAD_FLAGS)
def test_a_bad_flag_is_named(flags: dict[str, Any], begins: str, ends: str) -> None:
    with pytest.raises(BadSetting) as bad:
        load(flags)
    said = str(bad.value)
    assert said.startswith(begins) and said.endswith(ends) and "\n" not in said


BAD_FILES = [
    ("prot = 1", "prot: there is no such setting"),
    ("port = 'x'", "port: "),
    ("port = = 1", "config: "),
    ("port = 1\n[[upstream]]\nurl = 'http://a'\nmodel = 'x'", "upstream.0.model: there is no such setting"),
    ("[[upstream]]\nname = 'a'", "upstream.0.url: "),
    ("[[upstream]]\nurl = 'http://a'\nkey_env = 'NOT_SET_ANYWHERE'", "upstream.0: the variable NOT_SET_ANYWHERE"),
    ("upstream = 5", "upstream: "),
    ("[[api_keys]]\nowner = 'a'\nkey = ''", "api_keys.0.key: "),
    ("database_url = 'mysql://root:sk-hidden@db/x'", "database_url: it begins with postgresql://"),
    ("database_url = 'sqlite:///'", "database_url: it begins with postgresql://, or is sqlite:///PATH"),
    ("database_url = 'sqlite://sk-hidden'", "database_url: a file is sqlite:///relative"),
    ("[[webhook]]\nurl = 'http://a'", "webhook.0: it needs `secret` or `secret_env`"),
    ("[[webhook]]\nurl = 'http://a'\nsecret = 'sk-hidden'", "webhook.0: a signing secret is whsec_ and then Base64"),
    ("[[webhook]]\nurl = 'http://a'\nsecret = 'whsec_'", "webhook.0: a signing secret is whsec_ and then Base64"),
    ("[[webhook]]\nurl = 'http://a'\nsecret_env = 'NOT_SET'", "webhook.0: the variable NOT_SET is not set"),
    ("[[webhook]]\nurl = 'http://a'\nsecret = 'whsec_aGk='\nevents = ['response.created']", "webhook.0.events.0: "),
    ("workers = 0", "workers: "),
    ("mcp_allowed_hosts = ['https://a/mcp']", "mcp_allowed_hosts: 'https://a/mcp' is no name, address or network"),
    ("mcp_allowed_hosts = ['10.0.0.0/33']", "mcp_allowed_hosts: '10.0.0.0/33' is no name, address or network"),
    ("mcp_allowed_hosts = ['*.internal']", "mcp_allowed_hosts: '*.internal' is no name, address or network"),
]


@pytest.mark.parametrize(("text", "begins"), BAD_FILES)
def test_a_bad_file_is_named(text: str, begins: str) -> None:
    path = Path("bad.toml")
    path.write_text(text)
    with pytest.raises(BadSetting) as bad:
        load({}, path)
    said = str(bad.value)
    assert said.startswith(begins) and said.endswith("(bad.toml)") and "\n" not in said
    assert "sk-hidden" not in said


@pytest.mark.parametrize(("value", "begins"), [("x", "port: "), ("tcp://10.0.0.1:8000", "port: ")])
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str, begins: str) -> None:
    monkeypatch.setenv("GRAPHNEXUS_PORT", value)
    with pytest.raises(BadSetting, match=r"\(GRAPHNEXUS_PORT\)$") as bad:
        load({})
    assert str(bad.value).startswith(begins)


def test_a_variable_that_is_no_setting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHNEXUS_PROT", "1")
    assert unknown_variables() == ["GRAPHNEXUS_PROT"]


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadSetting, match=r"there is no file nowhere\.toml"):
        load({}, Path("nowhere.toml"))


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden-1")
    monkeypatch.setenv("GRAPHNEXUS_API_KEYS", "alice:sk-hidden-2")
    monkeypatch.setenv("GRAPHNEXUS_SECRET_KEY", "sk-hidden-3")
    monkeypatch.setenv("GRAPHNEXUS_METRICS_KEY", "sk-hidden-5")
    monkeypatch.setenv("GRAPHNEXUS_DATABASE_URL", "postgresql://me:sk-hidden-6@db/x?password=sk-hidden-7")
    monkeypatch.setenv("GRAPHNEXUS_WEBHOOK", '[{"url": "http://a", "secret": "whsec_aGlkZGVu"}]')
    settings = load({"upstream": ["http://a"]})
    shown = f"{settings!r}{settings}{settings.model_servers()!r}{settings.database!r}{settings.database}"
    assert "sk-hidden" not in shown and "aGlkZGVu" not in shown
    monkeypatch.setenv("GRAPHNEXUS_API_KEYS", '[{"owner": "alice", "key": ["sk-hidden-4"]}]')
    with pytest.raises(BadSetting) as bad:
        load({})
    assert "sk-hidden" not in str(bad.value)


@pytest.mark.parametrize(
    ("url", "kind", "place", "shown"),
    [
        (
            "postgresql://me:pw@db:5433/x?sslmode=require",
            "postgresql",
            "postgresql://me:pw@db:5433/x?sslmode=require",
            "db:5433/x",
        ),
        ("postgres://me@db/x", "postgresql", "postgresql://me@db/x", "db/x"),
        ("postgresql:///x?host=/run/pg", "postgresql", "postgresql:///x?host=/run/pg", "localhost/x"),
        ("sqlite:////srv/a.db", "sqlite", Path("/srv/a.db"), "/srv/a.db"),
    ],
)
def test_a_database_is_found_by_its_url(url: str, kind: str, place: Any, shown: str) -> None:
    database = load({"database_url": url}).database
    assert (database.kind, database.place, str(database)) == (kind, place, shown)


def test_without_a_url_the_database_is_a_file_in_the_data_directory(tmp_path: Path) -> None:
    database = load({"data_dir": str(tmp_path)}).database
    assert (database.kind, database.path) == ("sqlite", tmp_path / "graphnexus.db")
    assert load({"database_url": "sqlite:///here.db"}).database.path == tmp_path / "here.db"


def test_a_webhook_is_told_of_every_end_and_has_one_signing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "whsec_aGVsbG8=")
    Path("graphnexus.toml").write_text(
        "[[webhook]]\nurl = 'https://a/hook?token=sk-hidden'\nsecret_env = 'HOOK'\n"
        "[[webhook]]\nurl = 'https://b'\nsecret = 'whsec_d29ybGQ='\nevents = ['response.failed']\n"
    )
    first, second = load({}).webhook
    assert (first.signing_secret.get_secret_value(), str(first)) == ("whsec_aGVsbG8=", "https://a/hook")
    assert len(first.events) == 4 and list(second.events) == ["response.failed"]


def shown(settings: Settings) -> list[tuple[str, str | None]]:
    return [(one.url, one.key and one.key.get_secret_value()) for one in settings.model_servers()]


def test_the_key_of_openai_goes_to_bare_urls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-o")
    monkeypatch.setenv("SPECIAL", "sk-s")
    Path("graphnexus.toml").write_text(
        "[[upstream]]\nurl = 'http://none'\n[[upstream]]\nurl = 'http://own'\nkey = 'sk-own'\n"
        "[[upstream]]\nurl = 'http://special'\nkey_env = 'SPECIAL'\n"
    )
    assert shown(load({})) == [("http://none", None), ("http://own", "sk-own"), ("http://special", "sk-s")]
    assert shown(load({"upstream": ["http://a/v1/", "http://b"]})) == [("http://a/v1", "sk-o"), ("http://b", "sk-o")]


def test_openai_variables_count_only_without_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(load({})) == []
    monkeypatch.setenv("OPENAI_BASE_URL", "http://o/v1")
    assert shown(load({})) == [("http://o/v1", None)]
    assert shown(load({"upstream": ["http://a"]})) == [("http://a", None)]
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-o")
    assert shown(load({})) == [("https://api.openai.com/v1", "sk-o")]


def test_lists_in_variables_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHNEXUS_UPSTREAM", "http://a, http://b")
    monkeypatch.setenv("GRAPHNEXUS_API_KEYS", "alice:k1,bob:k:2")
    settings = load({})
    assert [one.url for one in settings.upstream] == ["http://a", "http://b"]
    assert {one.owner: one.key.get_secret_value() for one in settings.api_keys} == {"alice": "k1", "bob": "k:2"}


def test_a_child_gets_an_environment_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-o")
    monkeypatch.setenv("GRAPHNEXUS_PORT", "1")
    monkeypatch.setenv("UNRELATED", "kept")
    environment = bare_environment()
    assert "UNRELATED" in environment and not {"OPENAI_API_KEY", "GRAPHNEXUS_PORT"} & environment.keys()


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_told_from_the_rest(host: str, alone: bool) -> None:
    assert load({"host": host}).loopback is alone


def test_every_setting_is_described() -> None:
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_the_sealing_key_is_kept_beside_the_data(tmp_path: Path) -> None:
    made = sealing_key(None, tmp_path / "data")
    assert sealing_key(None, tmp_path / "data") == made and len(made) == 32
    assert stat.S_IMODE((tmp_path / "data" / "secret.key").stat().st_mode) == 0o600
    assert sealing_key("configured", tmp_path / "data") not in (made, sealing_key("other", tmp_path / "data"))
