"""Gateways: from settings to a configured backend, with an error that helps when they are wrong."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from sms_backends import SMSMessage, gateways, get_sms_backend
from sms_backends.gateways import backend_path
from sms_backends.providers import dummy, locmem

ADAPTERS = "tests.sms_backends.adapters"
DUMMY = "sms_backends.providers.dummy.SmsBackend"


def use(settings: Any, name: str, **options: Any) -> Any:
    settings.SMS_SETTINGS = {"BACKEND": f"{ADAPTERS}.{name}", "OPTIONS": options}
    return get_sms_backend()


def test_the_short_form_is_the_gateway_default(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEND": DUMMY}
    backend = get_sms_backend()
    assert isinstance(backend, dummy.SmsBackend)
    assert backend.alias == "default"
    assert backend.options == {}


def test_the_long_form_adds_gateways_and_goes_first(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "dummy"}
    settings.SMS_GATEWAYS = {"default": {"BACKEND": "locmem"}, "backup": {"BACKEND": "dummy"}}
    assert isinstance(get_sms_backend(), locmem.SmsBackend)
    assert isinstance(get_sms_backend("backup"), dummy.SmsBackend)
    assert gateways["backup"].alias == "backup"
    assert list(gateways) == ["default", "backup"]
    assert "backup" in gateways
    assert "main" not in gateways


def test_the_long_form_alone_is_enough(settings: Any) -> None:
    del settings.SMS_SETTINGS
    settings.SMS_GATEWAYS = {"main": {"BACKEND": "dummy"}}
    assert get_sms_backend("main").alias == "main"


def test_a_backend_is_made_once_and_again_when_settings_change(settings: Any) -> None:
    first = get_sms_backend()
    assert get_sms_backend() is first
    settings.SMS_SETTINGS = {"BACKEND": "dummy"}
    assert get_sms_backend() is not first


def test_forgotten_backends_are_closed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(dummy.SmsBackend, "close", lambda backend: closed.append(backend.alias))
    settings.SMS_GATEWAYS = {"one": {"BACKEND": "dummy"}, "two": {"BACKEND": "dummy"}}
    get_sms_backend("one")
    settings.DEBUG = True
    assert closed == []
    gateways.reset()
    assert closed == ["one"]


def test_threads_share_a_backend(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "dummy"}
    made: list[object] = []
    threads = [threading.Thread(target=lambda: made.append(get_sms_backend())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(map(id, made))) == 1


def test_a_forked_process_makes_its_own_backends_even_if_the_lock_was_held() -> None:
    parents = get_sms_backend()
    with gateways._lock:
        child = os.fork()
        if child == 0:
            # A thread that did not take the parent's lock would wait for ever if the child had inherited it.
            made: list[object] = []
            thread = threading.Thread(target=lambda: made.append(get_sms_backend()), daemon=True)
            thread.start()
            thread.join(5)
            os._exit(0 if made and made[0] is not parents else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert get_sms_backend() is parents


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("smsc", "SMS_SETTINGS: gateway 'default': it must be a dict, not 'smsc'"),
        ({}, "SMS_SETTINGS: gateway 'default': 'BACKEND' must be the dotted path"),
        ({"BACKEND": None}, "'BACKEND' must be the dotted path"),
        ({"BACKEND": ["dummy"]}, "'BACKEND' must be the dotted path"),
        ({"BACKEND": "dummy", "OPTION": {}}, r"unknown key\(s\) 'OPTION'; known are 'BACKEND' and 'OPTIONS'"),
        ({"BACKEND": "dummy", "OPTIONS": None}, "'OPTIONS' must be a dict, not None"),
        ({"BACKEND": "dummy", "OPTIONS": ["a"]}, r"'OPTIONS' must be a dict, not \['a'\]"),
    ],
)
def test_a_setting_of_the_wrong_shape_is_named_with_an_example(settings: Any, value: object, complaint: str) -> None:
    settings.SMS_SETTINGS = value
    with pytest.raises(ImproperlyConfigured, match=rf"{complaint}.*Example: SMS_SETTINGS = "):
        get_sms_backend()


@pytest.mark.parametrize("alias", ["", "a b", "a/b", "склад", 7])
def test_an_alias_must_fit_into_an_address(settings: Any, alias: object) -> None:
    settings.SMS_GATEWAYS = {alias: {"BACKEND": "dummy"}}
    with pytest.raises(ImproperlyConfigured, match="SMS_GATEWAYS: gateway .*an alias is made of"):
        get_sms_backend()


def test_gateways_that_are_no_dict_are_named(settings: Any) -> None:
    settings.SMS_GATEWAYS = [{"BACKEND": "dummy"}]
    with pytest.raises(ImproperlyConfigured, match="SMS_GATEWAYS must be a dict of gateways.*Example: SMS_GATEWAYS = "):
        get_sms_backend()


def test_no_setting_at_all_is_said_with_an_example(settings: Any) -> None:
    del settings.SMS_SETTINGS
    settings.SMS_GATEWAYS = {}
    with pytest.raises(ImproperlyConfigured, match="SMS_SETTINGS is missing. Example: SMS_SETTINGS = "):
        get_sms_backend()


def test_an_unknown_gateway_is_told_the_known_ones(settings: Any) -> None:
    settings.SMS_GATEWAYS = {"backup": {"BACKEND": "dummy"}}
    with pytest.raises(ImproperlyConfigured, match="no SMS gateway 'bakup'.*: backup, default. Example: "):
        get_sms_backend("bakup")


@pytest.mark.parametrize("name", ["smcs", "sms_backends.providers.smcs.SmsBackend", f"{ADAPTERS}.NoSuchBackend"])
def test_a_misspelt_backend_is_told_the_shipped_ones(settings: Any, name: str) -> None:
    settings.SMS_SETTINGS = {"BACKEND": name}
    with pytest.raises(ImproperlyConfigured, match="cannot be imported.*Shipped backends: console, dummy, .*Example: "):
        get_sms_backend()


@pytest.mark.parametrize("name", ["Unrelated", "VALIDITY"])
def test_what_is_no_backend_is_refused(settings: Any, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name}' is not a subclass of BaseSmsBackend"):
        use(settings, name)


def test_an_unknown_or_missing_option_is_named_with_the_setting_and_an_example(settings: Any) -> None:
    example = r'Example: SMS_SETTINGS = {"BACKEND": ".*ForwardingBackend", "OPTIONS": {"KEY": \.\.\.}}$'
    with pytest.raises(ImproperlyConfigured, match=rf"has no option 'KEYS'. Known options: KEY, SIZE. {example}"):
        use(settings, "ForwardingBackend", KEYS=1)
    with pytest.raises(ImproperlyConfigured, match=rf"needs the option 'KEY' \(The account's key\). {example}"):
        use(settings, "ForwardingBackend")


def test_the_example_names_the_gateway_and_fits_a_backend_without_options(settings: Any) -> None:
    settings.SMS_GATEWAYS = {"backup": {"BACKEND": "dummy", "OPTIONS": {"KEY": 1}}}
    example = r'Known options: none. Example: SMS_GATEWAYS = {"backup": {"BACKEND": ".*", "OPTIONS": {}}}$'
    with pytest.raises(ImproperlyConfigured, match=rf"has no option 'KEY'. {example}"):
        get_sms_backend("backup")


def test_options_have_their_defaults(settings: Any) -> None:
    assert use(settings, "ForwardingBackend", KEY="k").options == {"KEY": "k", "SIZE": 1}


def test_a_constructor_of_the_original_interface_gets_its_options_and_no_alias(settings: Any) -> None:
    settings.SMS_GATEWAYS = {
        "own": {"BACKEND": f"{ADAPTERS}.OwnConstructorBackend", "OPTIONS": {"LOGIN": "me"}},
        "any": {"BACKEND": f"{ADAPTERS}.AnyOptionsBackend", "OPTIONS": {"LOGIN": "me"}},
        "none": {"BACKEND": f"{ADAPTERS}.NoOptionsBackend"},
        "inherited": {"BACKEND": f"{ADAPTERS}.OriginalBackend", "OPTIONS": {"LOGIN": "me"}},
    }
    own: Any = get_sms_backend("own")
    assert (own.login, own.alias, own.options) == ("me", "own", {"LOGIN": "me"})
    assert vars(get_sms_backend("any"))["given"] == {"LOGIN": "me"}
    assert get_sms_backend("none").alias == "none"
    assert get_sms_backend("inherited").options == {"LOGIN": "me"}
    for alias in ("own", "any", "none", "inherited"):
        (result,) = SMSMessage(["+79991234567"], "Hello", using=alias).send()
        assert result.accepted


def test_a_constructor_that_passes_everything_on_gets_the_alias(settings: Any) -> None:
    settings.SMS_GATEWAYS = {"main": {"BACKEND": f"{ADAPTERS}.ForwardingBackend", "OPTIONS": {"KEY": "k"}}}
    assert vars(get_sms_backend("main"))["alias_at_construction"] == "main"


@pytest.mark.parametrize(
    ("name", "options"),
    [("OwnConstructorBackend", {}), ("NoOptionsBackend", {"LOGIN": 1}), ("TypeErrorBackend", {"SIZE": "much"})],
)
def test_a_constructor_that_refuses_its_options_is_named(settings: Any, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} does not accept its OPTIONS"):
        use(settings, name, **options)


def test_a_bare_word_is_a_shipped_backend() -> None:
    assert backend_path("smsc") == "sms_backends.providers.smsc.SmsBackend"
    assert backend_path("my.Backend") == "my.Backend"
