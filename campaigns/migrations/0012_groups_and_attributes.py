

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("campaigns", "0011_consent_and_replies"),
    ]

    operations = [
        migrations.CreateModel(
            name='Attribute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As in contact files and texts: {{ name }}. Letters, digits and _; capitals make no difference.', max_length=100, verbose_name='name')),
                ('key', models.CharField(editable=False, max_length=100, unique=True)),
                ('label', models.CharField(blank=True, help_text='What forms call it. Empty: the name.', max_length=150, verbose_name='label')),
                ('kind', models.CharField(choices=[('text', 'text'), ('number', 'number'), ('date', 'date'), ('yes_no', 'yes or no')], default='text', max_length=10, verbose_name='kind')),
                ('required', models.BooleanField(default=False, help_text='The form of a contact asks for it. Files may lack it.', verbose_name='required')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
            ],
            options={
                'verbose_name': 'field of contacts',
                'verbose_name_plural': 'fields of contacts',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SmartGroup',
            fields=[
            ],
            options={
                'verbose_name': 'smart group',
                'verbose_name_plural': 'smart groups',
                'ordering': ['name'],
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('campaigns.contactgroup',),
        ),
        migrations.AlterModelOptions(
            name='sentmessage',
            options={'ordering': ['-id'], 'permissions': [('export_sentmessage', 'Can export the delivery log')], 'verbose_name': 'message', 'verbose_name_plural': 'delivery log'},
        ),
        migrations.AddField(
            model_name='contactgroup',
            name='conditions',
            field=models.JSONField(blank=True, null=True, verbose_name='conditions'),
        ),
        migrations.CreateModel(
            name='FormerNumber',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone_number', models.CharField(db_index=True, max_length=16, verbose_name='phone number')),
                ('until', models.DateTimeField(default=django.utils.timezone.now, verbose_name='until')),
                ('was', models.JSONField(blank=True, default=dict)),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='former_numbers', to='campaigns.contact', verbose_name='contact')),
                ('recorded_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='recorded by')),
            ],
            options={
                'verbose_name': 'former number',
                'verbose_name_plural': 'former numbers',
                'ordering': ['-id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BulkAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('operation', models.CharField(max_length=30, verbose_name='what')),
                ('list_name', models.CharField(max_length=30)),
                ('selection', models.JSONField(default=dict)),
                ('parameters', models.JSONField(blank=True, default=dict, verbose_name='how')),
                ('status', models.CharField(choices=[('running', 'running'), ('done', 'done'), ('cancelled', 'cancelled'), ('failed', 'failed')], default='running', max_length=10, verbose_name='status')),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('total', models.PositiveIntegerField(default=0, verbose_name='to be done')),
                ('done_count', models.PositiveIntegerField(default=0, verbose_name='done')),
                ('changed_count', models.PositiveIntegerField(default=0, verbose_name='changed')),
                ('cursor', models.BigIntegerField(default=0)),
                ('progress', models.JSONField(blank=True, default=dict)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('time_zone', models.CharField(blank=True, max_length=64)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='begun')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('file_path', models.CharField(blank=True, max_length=200)),
                ('file_name', models.CharField(blank=True, max_length=150, verbose_name='file')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='can be downloaded until')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'bulk action',
                'verbose_name_plural': 'bulk actions',
                'ordering': ['-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(condition=models.Q(('status', 'running')), fields=['heartbeat_at'], name='bulk_action_running'), models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['expires_at'], name='bulk_action_expires')],
            },
        ),
    ]
