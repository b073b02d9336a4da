from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0035_audience_changes")]

    operations = [
        migrations.CreateModel(
            name="DayRecount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("newest", models.BigIntegerField()),
                ("left_to", models.BigIntegerField()),
                ("leased_until", models.DateTimeField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
    ]
