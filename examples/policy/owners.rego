# Who has to look at a campaign, by what it is: for `conftest test --policy examples/policy plan.json`.
#
# `plan.json` is what `octoplan plan -o json=plan.json` writes; docs/formats/saved-plan.md describes it.
package main

import rego.v1

# The teams that may answer for marketing.
marketing_owners := {"marketing", "brand"}

sending contains campaign if {
	some campaign in input.campaigns
	campaign.action in {"send", "add", "resume"}
}

deny contains message if {
	some campaign in sending
	campaign.owner == null
	message := sprintf("%s (%s): say who answers for it with `owner`", [campaign.id, campaign.file])
}

deny contains message if {
	some campaign in sending
	campaign.purpose == "wholesale"
	campaign.owner != null
	not campaign.owner in marketing_owners
	message := sprintf("%s: marketing is owned by %v, not by %s", [campaign.id, marketing_owners, campaign.owner])
}
