"""
What sending a campaign would do, before it is sent: exact, however large the audience is.

`counting` counts a part of the audience as the freeze will write it, `tally` adds parts up, `running` has workers count
them side by side and keeps the forecast, `stamps` says whether it still holds, `foreseen` is what the page shows of
it, `duration` how long it takes, `findings` what stands in the way and what to do about it.
"""
