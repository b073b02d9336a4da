"""Values from the environment: what is accepted, and that a complaint names the variable and gives no secret away."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment, with_query
from config.sms import gateway_options


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False)]
)
def test_a_boolean_has_many_spellings(value: str, expected: bool) -> None:
    assert Environment({"FLAG": value}).boolean("FLAG", default=not expected) is expected


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_value_counts_as_not_set(value: str) -> None:
    env = Environment({"NAME": value})
    assert env.text("NAME", "default") == "default"
    assert env.boolean("NAME", default=True) is True
    assert env.integer("NAME", 7) == 7
    assert env.words("NAME", ["a"]) == ["a"]
    assert env.json_object("NAME") == {}


def test_words_are_separated_by_commas_and_trimmed() -> None:
    assert Environment({"NAMES": " a, b ,,c"}).words("NAMES") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda env: env.boolean("NAME"), "flase"),
        (lambda env: env.integer("NAME", 1), "two"),
        (lambda env: env.integer("NAME", 1, minimum=1), "0"),
        (lambda env: env.number("NAME", 1), "soon"),
        (lambda env: env.json_object("NAME"), "{'a': 1}"),
        (lambda env: env.json_object("NAME"), "[1]"),
        (lambda env: env.database("NAME", ""), "mysql://localhost/sms"),
        (lambda env: env.database("NAME", ""), "postgres://user:pass@host:port/name"),
    ],
)
def test_a_wrong_value_names_its_variable(read, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="NAME"):
        read(Environment({"NAME": value}))


def test_a_complaint_about_json_does_not_repeat_the_password_in_it() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Environment({"SMS_OPTIONS": '{"SMSC_PASSWORD": "hunter2"'}).json_object("SMS_OPTIONS")
    assert "hunter2" not in str(caught.value)


def test_a_database_address_is_read() -> None:
    database = Environment({"URL": "postgres://sms:secret@db:5433/name"}).database("URL", "")
    assert (database["USER"], database["PASSWORD"], database["HOST"]) == ("sms", "secret", "db")
    assert (database["PORT"], database["NAME"]) == (5433, "name")


def test_a_query_parameter_is_added_unless_it_is_there() -> None:
    assert with_query("redis://host:6379/0", wait="5") == "redis://host:6379/0?wait=5"
    assert with_query("redis://host:6379/0?wait=9", wait="5") == "redis://host:6379/0?wait=9"


class TestGatewayOptions:
    """SMSC_* and SMS_OPTIONS -> OPTIONS of the gateway `default`."""

    def test_smsc_gets_what_is_set_in_its_type_and_nothing_else(self) -> None:
        env = Environment({"SMSC_LOGIN": "me", "SMSC_TIMEOUT": "7.5", "SMSC_DEBUG": "1", "SMSC_APIKEY": ""})
        assert gateway_options(env, "smsc") == {"SMSC_LOGIN": "me", "SMSC_TIMEOUT": 7.5, "SMSC_DEBUG": True}

    def test_the_limits_of_an_account_can_be_set(self):
        env = Environment({"SMSC_MAX_RECIPIENTS": "100", "SMSC_MAX_CONNECTIONS": "4"})
        assert gateway_options(env, "smsc") == {"SMSC_MAX_RECIPIENTS": 100, "SMSC_MAX_CONNECTIONS": 4}

    @pytest.mark.parametrize("backend", ["smsc", "sms_backends.providers.smsc.SmsBackend"])
    def test_smsc_is_known_by_its_short_name_and_its_path(self, backend: str) -> None:
        assert gateway_options(Environment({"SMSC_LOGIN": "me"}), backend) == {"SMSC_LOGIN": "me"}

    @pytest.mark.parametrize("backend", ["simulator", "mycompany.sms.SmsBackend"])
    def test_other_backends_do_not_get_them(self, backend: str) -> None:
        assert gateway_options(Environment({"SMSC_LOGIN": "me"}), backend) == {}

    @pytest.mark.parametrize("value", ["False", "false"])
    def test_a_false_sender_is_the_accounts_default(self, value: str) -> None:
        assert gateway_options(Environment({"SMSC_SENDER": value}), "smsc") == {"SMSC_SENDER": False}

    def test_sms_options_win(self) -> None:
        env = Environment({"SMSC_LOGIN": "me", "SMS_OPTIONS": '{"SMSC_LOGIN": "you", "SMSC_SENDER": "SHOP"}'})
        assert gateway_options(env, "smsc") == {"SMSC_LOGIN": "you", "SMSC_SENDER": "SHOP"}

    def test_a_wrong_timeout_names_its_variable(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="SMSC_TIMEOUT"):
            gateway_options(Environment({"SMSC_TIMEOUT": "soon"}), "smsc")
