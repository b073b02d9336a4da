"""Saved texts in several languages, what is typed and not saved yet, and who may manage the templates."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from ._roles import give_permissions

VERBS = {"Viewer": ["view"], "Approver": ["view"], "Operator": ["view", "add", "change", "delete"]}
GIVEN = {role: [f"{verb}_messagetemplate" for verb in verbs] for role, verbs in VERBS.items()}


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0014_group_roles'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaign',
            name='texts',
            field=models.JSONField(blank=True, default=dict, verbose_name='in other languages'),
        ),
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=150, unique=True, verbose_name='name')),
                ('body', models.TextField(help_text='For everybody whose language is not among those below. Placeholders are as in campaigns.', verbose_name='text')),
                ('is_archived', models.BooleanField(default=False, help_text='Is not offered to campaigns any more, but kept.', verbose_name='archived')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='changed')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='written by')),
            ],
            options={
                'verbose_name': 'template',
                'verbose_name_plural': 'templates',
                'ordering': ['name'],
            },
        ),
        migrations.AddField(
            model_name='campaign',
            name='template',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='campaigns', to='campaigns.messagetemplate', verbose_name='template'),
        ),
        migrations.CreateModel(
            name='CampaignDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fields', models.JSONField(default=dict)),
                ('version', models.PositiveIntegerField(default=1)),
                ('base', models.CharField(blank=True, max_length=40)),
                ('started_at', models.DateTimeField()),
                ('saved_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('campaign', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='drafts', to='campaigns.campaign')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('user', 'campaign'), name='one_draft_per_person'), models.UniqueConstraint(condition=models.Q(('campaign', None)), fields=('user',), name='one_new_draft_per_person')],
            },
        ),
        migrations.CreateModel(
            name='TemplateText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(help_text='As the contacts have it, for example ru, en or pt-BR.', max_length=10, verbose_name='language')),
                ('body', models.TextField(verbose_name='text')),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='texts', to='campaigns.messagetemplate', verbose_name='template')),
            ],
            options={
                'verbose_name': 'text in another language',
                'verbose_name_plural': 'texts in other languages',
                'ordering': ['language'],
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('template', 'language'), name='one_text_per_language', violation_error_message='There are two texts in this language. Keep one of them.')],
            },
        ),
        migrations.RunPython(give_permissions(GIVEN), migrations.RunPython.noop),
    ]
