"""
A permission for each act, the role of an administrator, and an audit trail that keeps names.

Whoever could do something before still can, and sees what they saw, but for the members of Viewer: they look at figures
and states, and see neither whole numbers nor texts.
"""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.models import OuterRef, Subquery

SEEING = ("view_full_numbers", "view_message_text")
#: New permission -> one of these was needed before.
BEFORE = {
    "resend_campaign": ("launch_campaign", "control_campaign"),
    "merge_contact": ("delete_contact",),
    "bulk_contact": ("change_contact",),
    "change_consent": ("change_contact",),
    "manage_gateway": ("resume_gateway",),
}
#: What people make and change; everything else is written by the engine.
MADE = (
    "attribute", "automaticreply", "campaign", "contact", "contactgroup", "contactimport", "erasure", "gatewayprice",
    "holiday", "messagetemplate", "optout", "replykeyword", "smartgroup", "user",
)  # fmt: skip


def give_permissions(apps: Any, schema_editor: Any) -> None:
    """Permissions are made after migrations otherwise, which would be too late for giving them."""
    for app_config in apps.get_app_configs():
        app_config.models_module = True
        create_permissions(app_config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        app_config.models_module = None
    _keep_what_they_may(apps.get_model("auth", "Group").objects.all(), "permissions", apps)
    users = apps.get_model("campaigns", "User").objects.exclude(user_permissions=None).distinct()
    _keep_what_they_may(users, "user_permissions", apps)
    _make_administrator(apps)


def _ours(apps: Any) -> Any:
    return apps.get_model("auth", "Permission").objects.filter(content_type__app_label="campaigns")


def _keep_what_they_may(holders: Any, name: str, apps: Any) -> None:
    for holder in holders:
        had = set(_ours(apps).filter(pk__in=getattr(holder, name).values("pk")).values_list("codename", flat=True))
        if not had:
            continue
        new = {codename for codename, old in BEFORE.items() if had & set(old)}
        if getattr(holder, "name", "") != "Viewer":
            new |= set(SEEING)
        getattr(holder, name).add(*_ours(apps).filter(codename__in=new))


def _make_administrator(apps: Any) -> None:
    role, _created = apps.get_model("auth", "Group").objects.get_or_create(name="Administrator")
    writing = ("add_", "change_", "delete_")
    role.permissions.add(
        *(
            permission
            for permission in _ours(apps)
            if not permission.codename.startswith(writing)
            or permission.codename.partition("_")[2] in MADE
            or permission.codename == "change_consent"
        )
    )
    others = apps.get_model("auth", "Permission").objects
    role.permissions.add(*others.filter(content_type__app_label="auth", codename__endswith="_group"))
    role.permissions.add(*others.filter(content_type__app_label="django_q", codename__startswith="view_"))


def keep_names(apps: Any, schema_editor: Any) -> None:
    """Entries name their actors by themselves, so that a user can go."""
    user_model = apps.get_model("campaigns", "User")
    names = user_model.objects.filter(pk=OuterRef("actor_id")).values("username")[:1]
    apps.get_model("campaigns", "AuditEvent").objects.filter(actor__isnull=False).update(actor_name=Subquery(names))


class Migration(migrations.Migration):

    dependencies = [
        ('django_q', '0018_task_success_index'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('campaigns', '0027_log_indexes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='auditevent',
            options={'default_permissions': ('view',), 'ordering': ['-id'], 'verbose_name': 'entry of the audit trail', 'verbose_name_plural': 'audit trail'},
        ),
        migrations.AlterModelOptions(
            name='campaign',
            options={'ordering': ['-id'], 'permissions': [('launch_campaign', 'Can send and schedule campaigns'), ('control_campaign', 'Can pause, resume and cancel campaigns'), ('approve_campaign', 'Can approve campaigns of others'), ('send_quick', 'Can send single messages'), ('resend_campaign', 'Can send again to those who were not reached')], 'verbose_name': 'campaign', 'verbose_name_plural': 'campaigns'},
        ),
        migrations.AlterModelOptions(
            name='contact',
            options={'ordering': ['-id'], 'permissions': [('import_contact', 'Can import contacts'), ('export_contact', 'Can export contacts'), ('merge_contact', 'Can merge two contacts'), ('bulk_contact', 'Can change many contacts at once'), ('change_consent', 'Can change what people have agreed to')], 'verbose_name': 'contact', 'verbose_name_plural': 'contacts'},
        ),
        migrations.AlterModelOptions(
            name='gatewaystate',
            options={'ordering': ['alias'], 'permissions': [('resume_gateway', 'Can pause and resume gateways'), ('manage_gateway', 'Can set the pace and the spend limit of gateways')], 'verbose_name': 'gateway', 'verbose_name_plural': 'gateways'},
        ),
        migrations.AlterModelOptions(
            name='sentmessage',
            options={'ordering': ['-id'], 'permissions': [('export_sentmessage', 'Can export the delivery log'), ('view_full_numbers', 'Can see whole phone numbers'), ('view_message_text', 'Can see the texts of messages and answers')], 'verbose_name': 'message', 'verbose_name_plural': 'delivery log'},
        ),
        migrations.AddField(
            model_name='auditevent',
            name='actor_name',
            field=models.CharField(blank=True, db_default='', max_length=150),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='count',
            field=models.PositiveBigIntegerField(blank=True, null=True, verbose_name='how many'),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='actor',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who'),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='at',
            field=models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='at'),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='campaign',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='audit_events', to='campaigns.campaign', verbose_name='campaign'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['actor', '-id'], name='audit_actor'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['action', '-id'], name='audit_action'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['campaign', '-id'], name='audit_campaign'),
        ),
        # SQLite has rebuilt the table without it.
        migrations.RunSQL(
            "CREATE INDEX IF NOT EXISTS audit_subject ON campaigns_auditevent (subject, id)", migrations.RunSQL.noop
        ),
        migrations.RunPython(give_permissions, migrations.RunPython.noop),
        migrations.RunPython(keep_names, migrations.RunPython.noop),
    ]
