"""From a launched campaign to recorded answers: freeze, claim, dispatch, record, recover. The order is the safety."""
