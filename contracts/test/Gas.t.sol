// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, Evidence} from "../interfaces/IClearingHouse.sol";
import {Network, PackedOrder} from "./support/Network.sol";

/// @notice What execution costs. `make gas` compares it with snapshots/. Positions and programs were used before, and no slot is warm.
/// Members have balances already, except for "empty page": there they get the first balance that the page ever held, like every new
/// member. Forge measures the call alone; `make bench` adds what a transaction pays for itself and its calldata.
contract GasTest is Network {
    uint256 private constant MANY = 100;
    string private constant GROUP = "ClearingHouse";

    Entry private redeemed;

    function setUp() public override {
        super.setUp();
        uint32[4] memory programs = [FUEL, CINE, FLEET, FILM];
        for (uint256 program = 0; program < programs.length; ++program) {
            Instruction[] memory instructions = new Instruction[](MANY);
            for (uint256 i = 0; i < MANY; ++i) {
                instructions[i] = _issue(programs[program], _member(i), 1000);
            }
            _execute(_order(_merchantOfProgram(programs[program]), instructions));
        }
        Instruction[] memory toNewcomers = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            toNewcomers[i] = _issue(FUEL, _newcomer(i), 1000);
        }
        _execute(_order(GAS_STATION, toNewcomers));
        _accept(GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, _member(0), 10));
        _accept(GAS_STATION, _exchange(FUEL_TO_FILM, FUEL, _member(0), 10));
        _accept(CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, _member(0), 10));
        _accept(GAS_STATION, _expire(FUEL, _member(0), 10));
        redeemed = _accept(GAS_STATION, _redeem(FUEL, _member(0), 10));
        _accept(GAS_STATION, _reverse(redeemed, 1));
    }

    function _member(uint256 i) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("member", i)))));
    }

    /// @dev A member with points of the first page only.
    function _newcomer(uint256 i) private pure returns (address) {
        return _member(MANY + i);
    }

    /// @dev A member without any points.
    function _nobody(uint256 i) private pure returns (address) {
        return _member(2 * MANY + i);
    }

    function _exchanges(uint32 agreement) private pure returns (Instruction[] memory instructions) {
        instructions = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            instructions[i] = _exchange(agreement, FUEL, _member(i), 100);
        }
    }

    /// @dev Signs and packs everything first, so that only the call is measured.
    function _measure(string memory name, OrderDraft[] memory drafts, uint256 entries) private {
        (PackedOrder[] memory orders, Evidence[] memory evidence) = _sign(drafts);
        bytes memory packed = _pack(orders);
        vm.recordLogs();
        vm.prank(sequencer);
        house.execute(packed, evidence);
        uint256 gas = vm.snapshotGasLastCall(GROUP, name);
        if (entries > 1) vm.snapshotValue(GROUP, string.concat(name, ", an entry"), gas / entries);
        _readEvents(vm.getRecordedLogs());
        assertEq(posted.length, entries);
    }

    function test_IssueInAnOrderOf100() public {
        Instruction[] memory instructions = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            instructions[i] = _issue(FUEL, _member(i), 5);
        }
        _measure("issue, one order of 100", _list(_order(GAS_STATION, instructions)), MANY);
    }

    function test_ExchangesSignedOneByOne() public {
        OrderDraft[] memory drafts = new OrderDraft[](MANY);
        Instruction[] memory instructions = _exchanges(FUEL_TO_CINE);
        for (uint256 i = 0; i < MANY; ++i) {
            drafts[i] = _order(GAS_STATION, instructions[i]);
        }
        _measure("exchange, 100 orders of 1", drafts, MANY);
    }

    function test_ExchangesInOneOrder() public {
        _measure("exchange, one order of 100", _list(_order(GAS_STATION, _exchanges(FUEL_TO_CINE))), MANY);
    }

    function test_ExchangesAcrossPagesInOneOrder() public {
        _measure("exchange across pages, one order of 100", _list(_order(GAS_STATION, _exchanges(FUEL_TO_FILM))), MANY);
    }

    function test_ExchangesIntoEmptyPagesInOneOrder() public {
        Instruction[] memory instructions = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            instructions[i] = _exchange(FUEL_TO_FILM, FUEL, _newcomer(i), 100);
        }
        _measure("exchange into an empty page, one order of 100", _list(_order(GAS_STATION, instructions)), MANY);
    }

    function test_IssuesIntoEmptyPagesInOneOrder() public {
        Instruction[] memory instructions = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            instructions[i] = _issue(FUEL, _nobody(i), 5);
        }
        _measure("issue into an empty page, one order of 100", _list(_order(GAS_STATION, instructions)), MANY);
    }

    function test_TransfersIntoEmptyPagesInOneOrder() public {
        Instruction[] memory instructions = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            instructions[i] = _transfer(FUEL, _member(i), _nobody(i), 5);
        }
        _measure("transfer into an empty page, one order of 100", _list(_order(GAS_STATION, instructions)), MANY);
    }

    function test_IssueAlone() public {
        _measureAlone("issue alone", GAS_STATION, _issue(FUEL, _member(1), 5));
    }

    function test_RedeemAlone() public {
        _measureAlone("redeem alone", GAS_STATION, _redeem(FUEL, _member(1), 5));
    }

    function test_ExchangeAlone() public {
        _measureAlone("exchange alone", GAS_STATION, _exchange(FUEL_TO_CINE, FUEL, _member(1), 100));
    }

    function test_SpendAlone() public {
        _measureAlone("spend alone", CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, _member(1), 5));
    }

    function test_TransferAlone() public {
        _measureAlone("transfer alone", GAS_STATION, _transfer(FUEL, _member(1), _member(2), 5));
    }

    function test_ReverseAlone() public {
        _measureAlone("reverse alone", GAS_STATION, _reverse(redeemed, 5));
    }

    function test_ExpireAlone() public {
        _measureAlone("expire alone", GAS_STATION, _expire(FUEL, _member(1), 5));
    }

    /// @dev The dearest reversals: of exchanges that the target side initiated today, across pages, each with a proof of its own.
    function test_ReversalsInOneOrder() public {
        Instruction[] memory exchanges = _exchanges(FUEL_TO_FILM);
        _execute(_order(CINEMA, exchanges));
        Instruction[] memory instructions = new Instruction[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            instructions[i] = _reverse(posted[i], _pointsOf(posted[i]));
        }
        _measure("reverse, one order of 100", _list(_order(CINEMA, instructions)), MANY);
    }

    function test_AtomicExchangeAndRedeem() public {
        Instruction[] memory instructions =
            _list(_exchange(FUEL_TO_CINE, FUEL, _member(1), 100), _redeem(CINE, _member(1), 90));
        _measure("atomic exchange and redeem", _list(_atomic(CINEMA, instructions)), 2);
    }

    function _measureAlone(string memory name, uint32 merchant, Instruction memory instruction) private {
        _measure(name, _list(_order(merchant, instruction)), 1);
    }
}
