// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "../interfaces/IClearingHouse.sol";
import {CopyTable, CopyTableLib} from "../types/CopyTable.sol";
import {EntryHead} from "../types/EntryHead.sol";
import {WordCopy} from "../types/WordCopy.sol";
import {Network} from "./support/Network.sol";

/// @notice A batch works on copies of what it moves and stores them at its end. Nobody may be able to tell.
contract CopiesTest is Network {
    /// @dev More than there are buckets, so that copies share them.
    uint256 private constant MANY = 150;
    uint256 private constant ORDERS = 8;
    uint256 private constant CHOICES = 15;

    Entry private exchanged;

    // ---------------------------------------------------------------- the table

    function test_EachSlotHasOneCopyAndIsStoredOnce() public {
        uint256[] memory slots = new uint256[](MANY);
        WordCopy[] memory copies = new WordCopy[](MANY);
        CopyTable table = CopyTableLib.create();
        for (uint256 i = 0; i < MANY; ++i) {
            slots[i] = i < 100 ? 2 ** 40 + 61 * i : uint256(keccak256(abi.encode(i))); // the first 100 share a bucket
            vm.store(address(this), bytes32(slots[i]), bytes32(i));
            copies[i] = table.copyOf(slots[i]);
        }
        for (uint256 i = 0; i < MANY; ++i) {
            assertEq(WordCopy.unwrap(table.copyOf(slots[i])), WordCopy.unwrap(copies[i]), "the same copy");
            assertEq(copies[i].slot(), slots[i]);
            assertEq(copies[i].word(), i);
            copies[i].set(i + 1);
            assertEq(vm.load(address(this), bytes32(slots[i])), bytes32(i), "not stored yet");
        }
        table.storeAll();
        for (uint256 i = 0; i < MANY; ++i) {
            assertEq(vm.load(address(this), bytes32(slots[i])), bytes32(i + 1), "stored");
            vm.store(address(this), bytes32(slots[i]), bytes32(i + 2));
            assertEq(table.copyOf(slots[i]).word(), i + 2, "forgotten, so read again");
        }
    }

    /// @dev Memory that was used before is not empty.
    function test_CopyBeginsWithoutNotes() public {
        assembly ("memory-safe") {
            let free := mload(0x40)
            for { let place := free } lt(place, add(free, 0x2000)) { place := add(place, 0x20) } {
                mstore(place, not(0))
            }
        }
        CopyTable table = CopyTableLib.create();
        WordCopy copy = table.copyOf(2 ** 40);
        for (uint256 place = 0x80; place < 0x140; place += 0x20) {
            assertEq(copy.note(place), 0);
            copy.setNote(place, place);
        }
        WordCopy other = table.copyOf(2 ** 40 + 61);
        for (uint256 place = 0x80; place < 0x140; place += 0x20) {
            assertEq(other.note(place), 0);
            assertEq(copy.note(place), place);
        }
        table.storeAll();
        assertEq(vm.load(address(this), bytes32(uint256(2 ** 40))), 0, "notes are not stored");
    }

    // ---------------------------------------------------------------- batches

    /// forge-config: default.fuzz.runs = 250
    /// forge-config: nightly.fuzz.runs = 5000
    function testFuzz_OneBatchDoesWhatABatchForEachOrderDoes(uint256 seed) public {
        _givePoints();
        OrderDraft[] memory drafts = _draw(seed);
        uint256 snapshot = vm.snapshotState();
        _execute(drafts);
        bytes32 whatHappened = keccak256(abi.encode(_moved(0), _refused(0)));
        bytes32 state = _stateWithNonces(drafts);

        vm.revertToState(snapshot);
        bytes32 moved;
        bytes32 refused;
        for (uint256 i = 0; i < drafts.length; ++i) {
            _execute(drafts[i]);
            (moved, refused) = (_moved(moved), _refused(refused));
        }

        assertEq(keccak256(abi.encode(moved, refused)), whatHappened, "entries and refusals");
        assertEq(_stateWithNonces(drafts), state, "state");
    }

    function _givePoints() private {
        for (uint256 i = 0; i < members.length; ++i) {
            _accept(GAS_STATION, _issue(FUEL, members[i], 2000));
            _accept(CINEMA, _issue(CINE, members[i], 300));
            _accept(SUPERMARKET, _issue(MART, members[i], 300));
        }
        exchanged = _accept(CINEMA, _exchange(FUEL_TO_CINE, FUEL, ann, 1000));
    }

    /// @dev Some orders are atomic, and the last one repeats the first one's nonce.
    function _draw(uint256 seed) private returns (OrderDraft[] memory drafts) {
        drafts = new OrderDraft[](ORDERS);
        for (uint256 i = 0; i < ORDERS; ++i) {
            uint256 drawn = uint256(keccak256(abi.encode(seed, i)));
            Instruction[] memory instructions = new Instruction[](1 + drawn % 4);
            uint32 merchant;
            for (uint256 j = instructions.length; j > 0; --j) {
                (merchant, instructions[j - 1]) = _choose(uint256(keccak256(abi.encode(drawn, j))));
            }
            drafts[i] = drawn >> 16 & 3 == 0 ? _atomic(merchant, instructions) : _order(merchant, instructions);
            if (drawn >> 24 & 7 == 0) drafts[i].key = keyOf[CAR_WASH];
        }
        if (drafts[ORDERS - 1].merchant == drafts[0].merchant) drafts[ORDERS - 1].nonce = drafts[0].nonce;
    }

    /// @dev An instruction of some kind, and a merchant that may sign it.
    function _choose(uint256 drawn) private view returns (uint32, Instruction memory) {
        address member = members[drawn >> 8 & 1];
        uint64 points = uint64(drawn >> 16 & 0x1ff);
        uint256 choice = drawn % CHOICES;
        if (choice < 2) return (GAS_STATION, _issue(choice == 0 ? FUEL : FLEET, member, points));
        if (choice == 2) return (GAS_STATION, _redeem(FUEL, member, points));
        if (choice == 3) return (GAS_STATION, _expire(FUEL, member, points));
        if (choice == 4) return (GAS_STATION, _transfer(FUEL, member, cat, points));
        if (choice == 5) return (GAS_STATION, _exchange(FUEL_TO_FLEET, FUEL, member, points));
        if (choice == 6) return (GAS_STATION, _exchange(FUEL_TO_FILM, FUEL, member, points));
        if (choice < 9) {
            return (choice == 7 ? GAS_STATION : CINEMA, _exchange(FUEL_TO_CINE, FUEL, member, points));
        }
        if (choice == 9) return (CINEMA, _exchange(CINE_TO_FUEL, CINE, member, points));
        if (choice == 10) return (CINEMA, _spend(CINE_AT_GAS_STATION, CINE, member, points));
        if (choice == 11) return (CAR_WASH, _spend(FUEL_AT_CAR_WASH, FUEL, member, points));
        if (choice == 12) return (SUPERMARKET, _exchange(MART_TO_CINE, MART, member, points));
        if (choice == 13) return (CINEMA, _reverse(exchanged, points));
        return (GAS_STATION, _exchange(99, FUEL, member, points));
    }

    /// @dev One hash of what the last batch posted, except for where in which batch.
    function _moved(bytes32 sum) private view returns (bytes32) {
        for (uint256 i = 0; i < posted.length; ++i) {
            uint256 head = uint256(uint200(EntryHead.unwrap(posted[i].head)));
            sum = keccak256(abi.encode(sum, posted[i].member, head, posted[i].amounts, posted[i].link));
        }
        return sum;
    }

    function _refused(bytes32 sum) private view returns (bytes32) {
        for (uint256 i = 0; i < refusals.length; ++i) {
            sum = keccak256(abi.encode(sum, refusals[i]));
        }
        return sum;
    }

    function _stateWithNonces(OrderDraft[] memory drafts) private view returns (bytes32 state) {
        state = _stateHash();
        for (uint256 i = 0; i < drafts.length; ++i) {
            state = keccak256(abi.encode(state, lens.nonceUsed(drafts[i].merchant, drafts[i].nonce)));
        }
    }
}
