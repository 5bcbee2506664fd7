# What a pull request may cost, and how its lists may look: for `conftest test --policy examples/policy plan.json`.
#
# Amounts in a plan are texts, so that no digit is lost; `to_number` is exact enough to compare with a bound.
# An unknown cost is `null`: it is treated as too much.
package main

import rego.v1

cost_max := 1000

left_out_max := 0.5

deny contains message if {
	input.totals.recipients > 0
	not cost_is_fine
	message := sprintf("the plan costs %v; without a second look it may cost %d", [input.totals.cost, cost_max])
}

cost_is_fine if {
	input.totals.cost != null
	to_number(input.totals.cost) <= cost_max
}

# A list of which most rows cannot be used is often the wrong file.
warn contains message if {
	some campaign in input.campaigns
	audience := campaign.audience
	unusable := sum([line.count | some line in audience.exclusions; line.reason in {"invalid-number", "empty-number"}])
	unusable > left_out_max * audience.rows
	message := sprintf("%s: %d of %d rows have no usable number", [campaign.id, unusable, audience.rows])
}

deny contains message if {
	some campaign in input.campaigns
	some override in campaign.overrides
	startswith(override.rule, "window/")
	message := sprintf("%s: sending hours are not overridden here (%s)", [campaign.id, override.rule])
}
