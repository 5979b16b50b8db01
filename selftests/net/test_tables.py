#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""LANs that the rules of policy routing cannot let win. They are in tables of others that are
asked behind ours (`ip rule add from 10.0.0.0/8 lookup 200`, from before towpath was there, is at
32765), or inside a blackhole. Whatever they hold the mesh does not take, once it is known."""

import contextlib

from lib import Capture, case, check, main, wait_until
from daemon import Daemon
from test_prefer_local import (DEVICE, FAR, LAN, MESH, PEER, TABLE, Scene, everywhere,
                               guarded_state, holder)

# beyond 255 a table does not fit into the header of a netlink message
TABLES = {4: "200", 6: "51820"}
PRIORITY = "32765"
BLACKHOLES = "10.16.0.0/12", "fd20::/12"


class Tables(Scene):
    def sinks(self, lan_is_there):
        """The longer prefixes of the LANs hold back the phone's: no mark would get there."""
        if lan_is_there:
            return {"lan": Capture(self.netns("lan"), PEER)}
        return super().sinks(lan_is_there)

    def recover(self):
        for family in TABLES:
            self.ip(f"-{family}", "rule", "del", "pref", PRIORITY, ok=False)
        for blackhole in BLACKHOLES:
            self.ip("route", "del", "blackhole", blackhole, ok=False)
        super().recover()

    def rules(self, verb):
        for family, table in TABLES.items():
            self.ip(f"-{family}", "rule", verb, "pref", PRIORITY, "lookup", table)

    def routes(self, *_):
        """The LANs behind a router on the device, in tables of their own."""
        for (_, family), (lan, _, _) in TABLE.items():
            self.ip("route", "add", lan, "via", FAR[family], "dev", DEVICE, "table",
                    TABLES[family])

    @contextlib.contextmanager
    def lans(self, come=routes, metric=0):
        with super().lans(come, metric):
            yield

    def is_free(self, what):
        self.shows(lambda relation: "active",
                   lambda relation, lan: "through the tunnel to phone", what)
        self.goes(everywhere(MESH), what, lan_is_there=False)
        self.is_settled(what)

    def is_held(self, what):
        self.shows(lambda relation: "conflict",
                   lambda relation, lan: f"{lan} dev {DEVICE}", what)
        self.shows(lambda relation: "conflict", lambda relation, lan: " table ", what)
        self.goes(everywhere(LAN), what)
        self.is_settled(what)

    def all_are(self, state):
        return all(found == state for found, _ in self.states().values())


@case
def what_overlaps_a_table_behind_is_held_back(lab):
    lab.rules("add")
    lab.is_free("nothing in the tables")
    with lab.lans():
        lab.again()
        lab.is_held("routes in the tables")
        lab.rules("del")
        lab.again()
        lab.shows(lambda relation: "active",
                  lambda relation, lan: "through the tunnel to phone", "without rules")
        lab.rules("add")
        # status knows before anybody has applied again
        lab.shows(lambda relation: "conflict", lambda relation, lan: " table ", "rules again")
    lab.again()
    lab.is_free("the routes have gone")
    lab.rules("del")


@case
def what_the_main_table_leads_is_no_matter(lab):
    """It comes before the mesh anyway: a table that repeats it holds nothing back."""
    lab.rules("add")
    with super(Tables, lab).lans(Scene.route, 0):
        lab.routes()
        lab.again()
        lab.shows(lambda relation: "active" if relation == "shorter" else "conflict",
                  lambda relation, lan: "through the tunnel" if relation == "shorter" else lan,
                  "in both tables")
        lab.goes(everywhere(LAN), "in both tables")
    lab.again()
    lab.rules("del")


@case
def run_follows_the_tables(lab):
    lab.rules("add")
    with Daemon(lab, lab.file):
        with lab.lans():
            wait_until(lambda: lab.all_are("conflict"), "routes have come")
            wait_until(lambda: not lab.json("plan", lab.file)["ops"], "they are known")
            lab.is_held("routes have come")
            lab.rules("del")
            wait_until(lambda: not lab.json("plan", lab.file)["ops"] and lab.all_are("active"),
                       "rules have gone")
            lab.rules("add")
            wait_until(lambda: not lab.json("plan", lab.file)["ops"] and lab.all_are("conflict"),
                       "rules have come")
            lab.is_held("rules have come")
        wait_until(lambda: not lab.json("plan", lab.file)["ops"] and lab.all_are("active"),
                   "routes have gone")
        lab.is_free("routes have gone")
    lab.rules("del")


@case
def run_sees_a_lan_that_comes_inside_a_blackhole(lab):
    """What lies in one is in the main table, where the longest prefix wins."""
    for blackhole in BLACKHOLES:
        lab.ip("route", "add", "blackhole", blackhole)
    lab.again()
    with Daemon(lab, lab.file):
        for (_, family), (_, mesh, _) in TABLE.items():
            check(lab.ip(f"-{family}", "route", "show", mesh).stdout, f"{mesh} in the main table")
        lab.goes(everywhere(MESH), "no LAN yet", lan_is_there=False)
        with super(Tables, lab).lans(Scene.connect, 0):
            lab.shows(guarded_state, holder, "it has just come")
            wait_until(lambda: not lab.json("plan", lab.file)["ops"], "it is known")
            lab.shows(guarded_state, holder, "it is known")
            lab.goes(everywhere(LAN), "it is known")
        wait_until(lambda: not lab.json("plan", lab.file)["ops"], "it has gone")
        lab.goes(everywhere(MESH), "it has gone", lan_is_there=False)
    for blackhole in BLACKHOLES:
        lab.ip("route", "del", "blackhole", blackhole)
    lab.again()


if __name__ == "__main__":
    main(Tables)
