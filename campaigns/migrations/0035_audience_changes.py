from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0034_resend_approvals")]

    operations = [
        migrations.AddField(
            model_name="forecast",
            name="compared_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="AudienceChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("fact", models.CharField(max_length=10)),
                ("group_id", models.BigIntegerField(default=0)),
                ("changes", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["fact", "group_id"], name="audience_change")],
            },
        ),
    ]
