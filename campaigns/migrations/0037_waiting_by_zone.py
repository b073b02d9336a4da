from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0036_past_days")]

    operations = [
        migrations.AddField(
            model_name="campaignminute",
            name="waiting",
            field=models.JSONField(null=True),
        ),
    ]
