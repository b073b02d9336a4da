"""Prices, spend limits, and who may enter prices: approvers; everybody else sees them."""

from __future__ import annotations

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from ._roles import give_permissions

VERBS = {"Viewer": ["view"], "Operator": ["view"], "Approver": ["view", "change"]}
GIVEN = {role: [f"{verb}_gatewayprice" for verb in verbs] for role, verbs in VERBS.items()}


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0006_canary_and_brakes"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceList",
            fields=[],
            options={
                "verbose_name": "price list",
                "verbose_name_plural": "prices",
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("campaigns.gatewaystate",),
        ),
        migrations.AddField(
            model_name="campaign",
            name="spend_limit",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="In the currency of the gateway's prices. Empty: no limit. It pauses before it would cost more.",
                max_digits=14,
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
                verbose_name="spend limit",
            ),
        ),
        migrations.AddField(
            model_name="figure",
            name="unpriced_segments",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="gatewaystate",
            name="daily_spend_limit",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=14, null=True, verbose_name="spend limit for each day"
            ),
        ),
        migrations.AddField(
            model_name="gatewaystate",
            name="price_currency",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Three letters, such as EUR or RUB. Spend limits are in this currency too.",
                max_length=5,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Z]{3}$", "Give the three letters of a currency, such as EUR or RUB."
                    )
                ],
                verbose_name="currency of the prices",
            ),
        ),
        migrations.AddField(
            model_name="gatewaystate",
            name="spent_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="limit for the day reached, until"),
        ),
        migrations.CreateModel(
            name="GatewayPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "prefix",
                    models.CharField(
                        blank=True,
                        max_length=15,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[1-9]\\d*$", "Digits only, the country's code first, such as 7 or 44."
                            )
                        ],
                        verbose_name="numbers that begin with",
                    ),
                ),
                (
                    "per_segment",
                    models.DecimalField(
                        decimal_places=5,
                        max_digits=10,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="price of one SMS segment",
                    ),
                ),
                (
                    "gateway",
                    models.ForeignKey(
                        db_column="gateway",
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prices",
                        to="campaigns.gatewaystate",
                        to_field="alias",
                    ),
                ),
            ],
            options={
                "verbose_name": "price",
                "verbose_name_plural": "prices",
                "ordering": ["gateway", "prefix"],
                "default_permissions": ("view", "change"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("gateway", "prefix"),
                        name="price_once",
                        violation_error_message="There is a price for this prefix already.",
                    )
                ],
            },
        ),
        migrations.RunPython(give_permissions(GIVEN), migrations.RunPython.noop),
    ]
